// A socket.io client: prints each thing that happens as a line of JSON, and stays if it is told to.
const { io } = require("socket.io-client");

const { url, headers, auth, transport, stay } = JSON.parse(process.argv[2]);
const tell = (event) => {
  console.log(JSON.stringify(event));
  if (!stay) process.exit(0);
};
const socket = io(url, {
  transports: [transport], extraHeaders: headers, auth, reconnection: false, forceNew: true,
});
socket.on("welcome", (identity) => tell({ welcome: identity }));
socket.on("connect_error", (error) => tell({ error: error.message, status: error.data?.status }));
socket.on("disconnect", (reason) => tell({ disconnect: reason }));
socket.on("said", (message) => stay && tell({ said: message }));
