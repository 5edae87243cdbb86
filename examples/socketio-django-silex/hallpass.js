// A middleware for socket.io 4 that lets in whoever is logged in to a web site, by asking hallpassd
// with the handshake's own cookies, or with a ticket, and disconnects them when that session ends.
// The cookies stay HttpOnly: no script in the page sees them, and this one only passes them on.
"use strict";

const http = require("node:http");

/**
 * Opens a stream of hallpassd's events about whoever sent these headers, and calls `on` with each:
 * ("identity", {…}), ("ended", {reason}), and at the end ("lost", {status}), where the status is that
 * of a refusal, or undefined. Returns a function that closes it.
 */
function open({ socketPath, site, timeout }, headers, on) {
  let lost = false;
  const lose = (status) => {
    if (!lost) on("lost", { status });
    lost = true;
  };
  const path = `/${site}/session/events`;
  const request = http.get({ socketPath, path, headers, agent: false }, (answer) => {
    if (answer.statusCode !== 200) {
      answer.resume();
      return lose(answer.statusCode);
    }
    let text = "";
    answer.setEncoding("utf8");
    answer.on("data", (piece) => {
      const blocks = (text + piece).split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const field = (name) => block.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1];
        if (field("event")) on(field("event"), JSON.parse(field("data")));
      }
    });
    answer.on("close", () => lose());
  });
  // hallpassd says something every 15 seconds.
  request.setTimeout(timeout, () => request.destroy(new Error("hallpassd is silent")));
  request.on("error", () => lose());
  return () => {
    lost = true;
    request.destroy();
  };
}

/** What the client showed when it connected. */
function credentials({ headers, auth, address }) {
  const shown = { "x-forwarded-for": address };
  // The header as it came: it is not for this program to know which cookie matters.
  if (headers.cookie) shown.cookie = headers.cookie;
  // io(url, { auth: { ticket } }), for pages on a host that the cookie does not reach.
  if (typeof auth?.ticket === "string" && /^[\w-]+$/.test(auth.ticket)) {
    shown.authorization = `Bearer ${auth.ticket}`;
  }
  return shown;
}

/**
 * The middleware. Options:
 *   socketPath  hallpassd's unix socket
 *   site        the `name` of the site's hallpass.toml
 *   retry       how long, in ms, to wait before a lost stream is opened again
 *   timeout     how long, in ms, hallpassd may be silent
 */
function hallpass(options) {
  const settings = { retry: 2_000, timeout: 40_000, ...options };
  return (socket, next) => {
    const shown = credentials(socket.handshake);
    let close = () => {};
    let timer;
    // From this site alone: the same connection may carry another one.
    const leave = () => socket.disconnect();
    const stop = () => {
      clearTimeout(timer);
      close();
    };
    const watch = (event, { status, ...data }) => {
      if (event === "identity") {
        if (data.user !== socket.data.identity.user) leave();
      } else if (event === "ended" || status === 401 || status === 403) {
        leave();
      } else if (event === "lost") {
        // That says nothing of the session: nobody is thrown out, and hallpassd is asked again.
        timer = setTimeout(() => (close = open(settings, shown, watch)), settings.retry);
      }
    };
    let decided = false;
    const first = (event, data) => {
      if (decided) return watch(event, data);
      decided = true;
      if (event === "identity") {
        socket.data.identity = data;
        // The client may be gone before it is let in.
        socket.conn.once("close", stop);
        socket.once("disconnect", stop);
        return next();
      }
      // 401, 403 and an end are an answer; all else means that nobody can say.
      const refused = event === "ended" || data.status === 401 || data.status === 403;
      const error = new Error(refused ? "unauthorized" : "unavailable");
      error.data = { status: refused ? (data.status ?? 401) : (data.status ?? 503) };
      stop();
      next(error);
    };
    close = open(settings, shown, first);
  };
}

module.exports = { hallpass, open };
