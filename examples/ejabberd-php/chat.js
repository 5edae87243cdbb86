// A page of the PHP site logs its visitor in to XMPP, with Strophe.js. The session cookie stays
// HttpOnly: the script gets a ticket, which is good for a minute and for nothing but this.

async function chat(connection) {
  const answer = await fetch("/chat/ticket", { method: "POST" });
  if (answer.status === 401) return location.assign("/login");
  const { user, ticket } = await answer.json();
  connection.connect(`${escapeNode(user)}@chat.example.org`, ticket, (status) => {
    if (status === Strophe.Status.CONNECTED) connection.send($pres());
    // A connection that is lost later is made again with a ticket of its own.
    if (status === Strophe.Status.DISCONNECTED) setTimeout(chat, 5000, connection);
  });
}

// What the local part of a JID cannot hold (XEP-0106).
const escapeNode = (name) =>
  name.replace(/[ "&'/:<>@\\]/g, (c) => "\\" + c.charCodeAt(0).toString(16).padStart(2, "0"));

chat(new Strophe.Connection("wss://chat.example.org/ws"));
