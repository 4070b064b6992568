// Uses the page as a person does, in a headless browser: node page.js BROWSER URL SCENARIO [PICTURE]. Says what it has seen as JSON.

const puppeteer = require("puppeteer-core");

const [, , browserPath, url, scenario, picture] = process.argv;
const seen = { console: [], requests: [] };

async function until(page, what, ...args) {
  await page.waitForFunction(what, { timeout: 15000, polling: 50 }, ...args);
}

const text = (page, selector) => page.$eval(selector, (element) => element.textContent);

/** How many pixels of the plot are coloured, as its lines are and its grid is not. */
const colouredPixels = (page) => page.$eval("#plot canvas", (canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue, alpha] = data.slice(at, at + 4);
    if (alpha > 200 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) count += 1;
  }
  return count;
});

const lastTimes = (page) => page.evaluate(() => document.querySelector("#plot-note").textContent);

async function put(metric, value, tags) {
  const response = await fetch(`${url}/api/put`, {
    method: "POST",
    body: JSON.stringify({ metric, timestamp: Date.now(), value, tags }),
  });
  if (!response.ok) throw new Error(`put: ${response.status}`);
}

async function drawn(page) {
  await until(page, () => !document.querySelector("#drawn").hidden && document.querySelectorAll("#lines tbody tr").length > 0
    && document.querySelector("#plot canvas") && !document.querySelector("#drawn").hasAttribute("aria-busy"));
}

/** Press Tab until an element with an id has the focus; the ids of those on the way, with whether the focus can be seen. */
async function tabTo(page, id) {
  const way = [];
  for (let step = 0; step < 40; step += 1) {
    await page.keyboard.press("Tab");
    const [name, visible] = await page.evaluate(() => {
      const element = document.activeElement;
      return [element.id || element.textContent.trim().slice(0, 30), getComputedStyle(element).outlineStyle !== "none"];
    });
    way.push(name);
    if (!visible) throw new Error(`the focus on ${name} cannot be seen`);
    if (name === id) return way;
  }
  throw new Error(`${id} cannot be reached with Tab: ${way}`);
}

const scenarios = {
  async load(page) {
    await until(page, () => document.querySelector("#state").textContent === "Connected");
    await until(page, () => document.querySelectorAll("#metric-buttons button").length > 0);
    seen.series = await text(page, "#series");
    seen.databases = await text(page, "#databases");
    seen.metrics = await page.$$eval("#metric-buttons button", (buttons) => buttons.map((each) => each.textContent));
    await page.click("#metric-buttons button");
    await drawn(page);
    seen.lines = await page.$$eval("#lines tbody button", (buttons) => buttons.map((each) => each.textContent));
    seen.pixels = await colouredPixels(page);
    await page.click("#lines tbody button");
    seen.pixelsWithoutALine = await colouredPixels(page);
  },

  async live(page) {
    await page.goto(`${url}/#metric=page.cpu&range=300&interval=raw&tag.host=*`);
    await page.reload({ waitUntil: "load" });
    await drawn(page);
    await until(page, () => document.querySelector("#live-state").textContent === "live");
    seen.before = await lastTimes(page);
    await put("page.cpu", 77.25, { host: "a" });
    await until(page, () => [...document.querySelectorAll("#lines tbody tr")].some((row) => row.cells[2].textContent === "77.25"));
    await put("page.cpu", 5, { host: "new" });
    await until(page, () => [...document.querySelectorAll("#lines tbody th")].some((head) => head.textContent === "host=new"));
    seen.after = await lastTimes(page);
    await page.click("#live");
    await until(page, () => document.querySelector("#live-state").textContent === "");
  },

  async keyboard(page) {
    await until(page, () => document.querySelectorAll("#metric-names option").length > 0);
    seen.way = await tabTo(page, "metric");
    await page.keyboard.type("page.cpu");
    await page.keyboard.press("Enter");
    await drawn(page);
    seen.toPlot = await tabTo(page, "plot");
    await page.keyboard.press("End");
    const last = await text(page, "#reading");
    await page.keyboard.press("ArrowLeft");
    seen.readings = [last, await text(page, "#reading")];
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    seen.pressed = await page.$eval("#lines tbody button", (button) => button.getAttribute("aria-pressed"));
  },

  async dark(page) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
    await page.goto(`${url}/#metric=page.cpu&range=3600&tag.host=*`);
    await page.reload({ waitUntil: "load" });
    await drawn(page);
    const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const stroke = () => page.$eval("#lines svg line", (line) => line.getAttribute("stroke"));
    seen.dark = [await back(), await stroke()];
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
    await until(page, (before) => document.querySelector("#lines svg line").getAttribute("stroke") !== before, seen.dark[1]);
    seen.light = [await back(), await stroke()];
    seen.pixels = await colouredPixels(page);
  },

  async login(page) {
    await until(page, () => document.querySelector("#login").open);
    seen.focused = await page.evaluate(() => document.activeElement.id);
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await until(page, () => document.querySelector("#login-problem").textContent !== "");
    seen.problem = await text(page, "#login-problem");
    await page.keyboard.type("secret");
    await page.keyboard.press("Enter");
    await until(page, () => document.querySelector("#state").textContent === "Connected");
    await until(page, () => document.querySelectorAll("#downsample option").length > 0);
    seen.open = await page.$eval("#login", (dialog) => dialog.open);
    await page.reload({ waitUntil: "load" });
    await until(page, () => document.querySelector("#state").textContent === "Connected");
    seen.stillOpen = await page.$eval("#login", (dialog) => dialog.open);
  },

  async narrow(page) {
    await page.setViewport({ width: 360, height: 740, hasTouch: true });
    await page.goto(`${url}/#metric=page.cpu&range=3600&tag.host=*`);
    await page.reload({ waitUntil: "load" });
    await drawn(page);
    seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  },

  async problem(page) {
    await page.goto(`${url}/#metric=page.none&range=3600`);
    await page.reload({ waitUntil: "load" });
    await until(page, () => !document.querySelector("#problem").hidden);
    seen.problem = await text(page, "#problem");
  },
};

(async () => {
  const browser = await puppeteer.launch({ executablePath: browserPath, args: ["--no-sandbox"], headless: "shell" });
  try {
    const page = await browser.newPage();
    page.on("console", (message) => {
      // That the test reads pixels is nothing of the page.
      if (!message.text().startsWith("Canvas2D")) seen.console.push(`${message.type()} ${message.text()}`);
    });
    page.on("pageerror", (error) => seen.console.push(`error ${error.message}`));
    page.on("request", (request) => seen.requests.push(request.url()));
    await page.setViewport({ width: 1280, height: 900 });
    await page.goto(url, { waitUntil: "load" });
    await scenarios[scenario](page);
    if (picture) await page.screenshot({ path: picture, fullPage: true });
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify(seen));
})().catch((error) => {
  console.error(error, JSON.stringify(seen));
  process.exit(1);
});
