// Put in the place of @vscode/spdlog in an installed VS Code server, which would have to be compiled: without it the
// server keeps no logs, output channels stay empty, and every process of it complains. No rotation: the logs are short.
const { appendFileSync, mkdirSync } = require('node:fs');
const path = require('node:path');

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];

class Logger {
  /**
   * @param {string} _kind
   * @param {string} _name
   * @param {string} file
   */
  constructor(_kind, _name, file) {
    mkdirSync(path.dirname(file), { recursive: true });
    this.file = file;
    this.level = 0;
    this.raw = false;
  }

  getLevel() {
    return this.level;
  }

  /** @param {number} level */
  setLevel(level) {
    this.level = level;
  }

  setPattern() {
    this.raw = false;
  }

  clearFormatters() {
    this.raw = true;
  }

  flush() {}

  drop() {}

  /**
   * @param {number} level
   * @param {string} message
   */
  write(level, message) {
    if (level < this.level) {
      return;
    }
    const time = new Date().toISOString().replace('T', ' ').replace('Z', '');
    try {
      appendFileSync(this.file, this.raw ? message : `${time} [${LEVELS[level]}] ${message}\n`);
    } catch {
      // A log that cannot be written must not end what it tells about.
    }
  }
}

LEVELS.forEach((name, level) => {
  Object.defineProperty(Logger.prototype, name, {
    value(/** @type {string} */ message) {
      this.write(level, message);
    },
  });
});

exports.version = 0;
exports.Logger = Logger;
exports.setLevel = () => {};
exports.setFlushOn = () => {};
exports.createRotatingLogger = async (/** @type {string} */ name, /** @type {string} */ file) =>
  new Logger('rotating', name, file);
exports.createAsyncRotatingLogger = exports.createRotatingLogger;
