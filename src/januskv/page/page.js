// The beginning of everything: the server's state, the explorer, and the log-in where one is needed.

import { Forbidden, logIn, NeedsLogin } from "./api.js";
import { Explorer } from "./explorer.js";
import { Server } from "./server.js";

const element = (id) => document.getElementById(id);
const dialog = element("login");
let refused = false; // somebody does not want to log in now

function state(text, kind) {
  const shown = element("state");
  if (shown.textContent !== text) shown.textContent = text;
  shown.className = kind;
}

function fault(error) {
  if (error instanceof NeedsLogin) {
    state("Log-in needed", "bad");
    element("open-login").hidden = false;
    if (!refused && !dialog.open) askForLogin();
  } else if (error instanceof Forbidden) {
    state(error.message, "bad");
    element("open-login").hidden = false;
  } else {
    state("No connection to the server", "bad");
  }
}

function askForLogin() {
  element("login-problem").textContent = "";
  dialog.showModal();
  element("password").focus();
}

const server = new Server((now) => {
  state(now.loading ? "Loading its data" : "Connected", now.loading ? "" : "good");
  element("open-login").hidden = true;
}, fault);
const explorer = new Explorer(fault);

element("open-login").addEventListener("click", askForLogin);
element("login-cancel").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => { refused = true; });
element("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const problem = element("login-problem");
  problem.textContent = "";
  try {
    if (!await logIn(element("username").value, element("password").value)) {
      problem.textContent = "User or password is wrong.";
      element("password").select();
      return;
    }
  } catch (error) {
    problem.textContent = error.message;
    return;
  }
  element("password").value = "";
  dialog.close();
  refused = false;
  server.look();
  explorer.start();
});

server.look();
explorer.start();
