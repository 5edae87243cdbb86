// A chat by socket.io 4 for the people of three web sites: a Django shop, a club in PHP (Silex, whose
// sessions are Symfony's), and a gallery in Express.
//
//   npm install socket.io@4
//   node server.js
"use strict";

const http = require("node:http");
const fs = require("node:fs");
const path = require("node:path");
const { Server } = require("socket.io");
const { hallpass } = require("./hallpass.js");

const HALLPASS = "/run/hallpass/http.sock";
// The pages that may connect. A browser sends its cookies with a WebSocket whatever page opens it,
// and CORS does not stop it: without this, any page on the web could speak in a visitor's name.
const ORIGINS = ["https://chat.example.org"];

const page = path.join(__dirname, "chat.html");
const server = http.createServer((request, response) => {
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  fs.createReadStream(page).pipe(response);
});

const io = new Server(server, {
  cors: { origin: ORIGINS, credentials: true },
  // A program that is no browser sends no Origin, and has its own cookies.
  allowRequest: ({ headers: { origin } }, answer) =>
    answer(null, origin === undefined || ORIGINS.includes(origin)),
  // Whoever comes back is asked again.
  connectionStateRecovery: { skipMiddlewares: false },
});

for (const site of ["shop", "club", "gallery"]) {
  const people = io.of(`/${site}`);
  people.use(hallpass({ socketPath: HALLPASS, site }));
  people.on("connection", (socket) => {
    const { user, groups } = socket.data.identity;
    socket.emit("welcome", { user, groups });
    // Who says it is what hallpassd said, whatever the message claims.
    socket.on("say", (text) => people.emit("said", { user, text: String(text) }));
  });
}

server.listen(3000, "127.0.0.1");
