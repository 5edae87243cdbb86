// A middleware for socket.io 4 that lets in whoever is logged in to a web site, by asking hallpassd
// with the handshake's own cookies, or with a ticket. The cookies stay HttpOnly: no script in the
// page sees them, and this one only passes them on.
"use strict";

const http = require("node:http");

/** Asks hallpassd who sent these headers. The answer is {status, identity}. */
function ask({ socketPath, site, timeout }, headers) {
  return new Promise((resolve, reject) => {
    const request = http.get(
      { socketPath, path: `/${site}/session`, headers, timeout, agent: false },
      (answer) => {
        const pieces = [];
        answer.on("data", (piece) => pieces.push(piece));
        answer.on("error", reject);
        answer.on("end", () => {
          try {
            const whole = Buffer.concat(pieces).toString();
            resolve({
              status: answer.statusCode,
              identity: answer.statusCode === 200 ? JSON.parse(whole) : null,
            });
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    // `timeout` alone says that it is late, and does nothing about it.
    request.on("timeout", () => request.destroy(new Error("hallpassd does not answer")));
    request.on("error", reject);
  });
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
 *   recheck     how often, in ms, to ask again whether the session still lives
 *   timeout     how long, in ms, to wait for hallpassd
 */
function hallpass(options) {
  const settings = { recheck: 30_000, timeout: 5_000, ...options };
  return async (socket, next) => {
    try {
      const shown = credentials(socket.handshake);
      const { status, identity } = await ask(settings, shown);
      if (!identity) {
        // 401 and 403 are an answer; all else means that nobody can say.
        const refused = status === 401 || status === 403;
        const error = new Error(refused ? "unauthorized" : "unavailable");
        error.data = { status };
        return next(error);
      }
      socket.data.identity = identity;
      watch(settings, socket, shown);
      next();
    } catch {
      // Without this, the client would wait for socket.io's own time-out.
      next(Object.assign(new Error("unavailable"), { data: { status: 503 } }));
    }
  };
}

/** Disconnects a client whose session has ended: a connection outlives the logout by itself. */
function watch(settings, socket, shown) {
  // A ticket is short-lived. Once it has let somebody in, their cookie is asked about if there is
  // one, and else the connection lives no longer than the session was to.
  const { authorization, ...cookies } = shown;
  // From this site alone: the same connection may carry another one.
  const leave = () => socket.disconnect();
  const expires = socket.data.identity.expires;
  const left = expires ? Date.parse(expires) - Date.now() : settings.recheck;
  const timer = setInterval(async () => {
    if (!cookies.cookie) return;
    try {
      const { status, identity } = await ask(settings, cookies);
      const gone = status === 401 || status === 403;
      const other = identity && identity.user !== socket.data.identity.user;
      if (gone || other) leave();
    } catch {
      // Nobody can say now: ask again.
    }
  }, settings.recheck);
  // Node's longest timer is 2^31 - 1 ms.
  const end = cookies.cookie ? null : setTimeout(leave, Math.min(Math.max(left, 0), 2 ** 31 - 1));
  socket.on("disconnect", () => {
    clearInterval(timer);
    clearTimeout(end);
  });
}

module.exports = { hallpass };
