// A shop in Express, as its tutorials make one: express-session, Passport, and the store that STORE
// names. `GET /who` answers who is logged in.
const bcrypt = require("bcryptjs");
const express = require("express");
const session = require("express-session");
const passport = require("passport");
const { Strategy } = require("passport-local");

const { STORE, PORT, SECRETS, DATABASE, REDIS } = process.env;

async function database() {
  if (STORE === "mysql") {
    const pool = require("mysql2/promise").createPool(DATABASE);
    return { pool, rows: async (sql, values) => (await pool.query(sql.replace(/\$\d/g, "?"), values))[0] };
  }
  const pool = new (require("pg").Pool)({ connectionString: DATABASE });
  return { pool, rows: async (sql, values) => (await pool.query(sql, values)).rows };
}

async function store(pool) {
  if (STORE === "redis") {
    const client = require("redis").createClient({ url: REDIS });
    await client.connect();
    return new (require("connect-redis").default)({ client });
  }
  if (STORE === "mysql") return new (require("express-mysql-session")(session))({}, pool);
  return new (require("connect-pg-simple")(session))({ pool, createTableIfMissing: true });
}

async function main() {
  const { pool, rows } = await database();
  const app = express();
  const find = async (column, value) =>
    (await rows(`SELECT id, username, password, active FROM users WHERE ${column} = $1`, [value]))[0];

  passport.use(new Strategy(async (username, password, done) => {
    const user = await find("username", username);
    const right = user && user.active && (await bcrypt.compare(password, user.password));
    done(null, right ? user : false);
  }));
  passport.serializeUser((user, done) => done(null, user.id));
  passport.deserializeUser(async (id, done) => {
    const user = await find("id", id).catch(() => null);
    done(null, user && user.active ? user : false);
  });

  app.use(session({
    store: await store(pool), secret: SECRETS.split(","), resave: false, saveUninitialized: true,
    cookie: { maxAge: 3600000 },
  }));
  app.use(express.urlencoded({ extended: false }));
  app.use(passport.session());
  app.post("/login", passport.authenticate("local"), (request, response) => response.send(request.user.username));
  app.get("/logout", (request, response, next) =>
    request.logout((error) => (error ? next(error) : response.send("bye"))));
  app.get("/destroy", (request, response) => request.session.destroy(() => response.send("gone")));
  app.get("/join", (request, response) => {
    request.session.account = { name: request.query.name };
    response.send("joined");
  });
  app.get("/who", (request, response) => response.send(request.user ? request.user.username : "nobody"));
  app.get("/me", (request, response) =>
    request.user ? response.json({ user: { name: request.user.username } }) : response.sendStatus(401));
  app.use((error, request, response, next) => response.status(500).send("error"));
  process.on("unhandledRejection", (error) => console.error("unhandled", error.message));
  app.listen(Number(PORT), "127.0.0.1");
}

main();
