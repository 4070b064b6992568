// A subscription over WebSocket: it says when points of a metric have arrived.

const LONGEST_MS = 30000;

/** Calls `onPoints` with points as they arrive; `onState` with "live", "lost" or the reason why it is refused. */
export class Live {
  constructor(metric, tags, onPoints, onState) {
    this.request = { metric, tags, startTime: Date.now(), delayTime: 200 };
    this.onPoints = onPoints;
    this.onState = onState;
    this.ended = false;
    this.wait = 500;
    this.timer = 0;
    this.connect();
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = this.socket = new WebSocket(`${scheme}://${location.host}/websocket`);
    socket.onopen = () => {
      socket.send(JSON.stringify({ operation: "create", subscriptionId: "page" }));
      socket.send(JSON.stringify({ operation: "add", subscriptionId: "page", ...this.request }));
      this.wait = 500;
      if (!this.ended) this.onState("live");
    };
    socket.onmessage = (message) => {
      if (this.ended) return;
      const points = JSON.parse(message.data).responses.filter((each) => !each.complete);
      if (points.length) {
        this.request.startTime = Date.now();
        this.onPoints(points);
      }
    };
    socket.onclose = (event) => {
      if (this.ended) return;
      if (event.code === 1008) {
        this.ended = true;
        this.onState(event.reason || "refused");
        return;
      }
      this.onState("lost");
      this.timer = setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_MS);
    };
  }

  end() {
    this.ended = true;
    clearTimeout(this.timer);
    this.socket.close();
  }
}
