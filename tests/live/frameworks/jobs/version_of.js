// Versions of installed packages; not every one of them exports its package.json.
const { existsSync, readFileSync } = require("fs");
const path = require("path");

module.exports = (...names) => Object.fromEntries(names.map((name) => {
  const folders = process.env.NODE_PATH.split(path.delimiter);
  const file = folders.map((folder) => path.join(folder, name, "package.json")).find(existsSync);
  return [name, JSON.parse(readFileSync(file)).version];
}));
