// A site with Auth.js, whose sessions are in PostgreSQL: a link in a mail logs a visitor in. The mail is
// shown at `GET /mail`, and `GET /who` answers who is logged in.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.MODULES + "/");
// The packages' own exports for `import`.
const load = (name, file) => import(pathToFileURL(`${process.env.MODULES}/${name}/${file}`).href);
const { ExpressAuth, getSession } = await load("@auth/express", "index.js");
const { default: PostgresAdapter } = await load("@auth/pg-adapter", "index.js");
const express = require("express");
const { Pool } = require("pg");

const pool = new Pool({ connectionString: process.env.DATABASE });
let mail = "";
const config = {
  adapter: PostgresAdapter(pool),
  secret: "authjs-secret",
  trustHost: true,
  session: { strategy: "database" },
  providers: [{
    id: "mail", type: "email", name: "Mail", from: "shop@example.org", maxAge: 600, options: {},
    sendVerificationRequest: ({ url }) => { mail = url; },
  }],
};

const app = express();
app.use("/auth/*", ExpressAuth(config));
app.get("/mail", (request, response) => response.send(mail));
app.get("/who", async (request, response) => {
  const session = await getSession(request, config);
  response.send(session ? session.user.email : "nobody");
});
app.listen(Number(process.env.PORT), "127.0.0.1");
