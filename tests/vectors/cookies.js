// What the package `cookie` of Node finds in Cookie headers.
//
//     NODE_PATH=tests/.setup/node/node_modules node tests/vectors/cookies.js > crates/sites/tests/data/cookies_node.json
//
// Each row is [header, the value of `SID`, or null where there is none]. Values are left
// percent-encoded, as Hallpass leaves them.
const cookie = require("cookie");

const headers = [
  "SID=abc", "a=1; SID=abc; b=2", "a=1;SID=abc;", "\tSID=abc", " SID = abc ", "SID= abc ", "SID=first; SID=second",
  "SID=first; SID=second; SID=third", "SID=; SID=second", "SID; SID=second", "SID=first; SID", "SID=\"abc\"",
  "SID=\"abc", "SID=abc\"", "SID=\"\"", "SID=a=b", "SID=a%2Cb", "SID=s%3Aid.sig", "sid=abc", "Sid=abc; SID=x",
  "=SID", "=SID=abc", "", "; ;", ";SID=abc", "xSID=abc", "SIDx=abc", "a; SID=abc", "a; b; SID=abc; SID=def",
  "SID=a b", "SID=a,b", "a=SID=abc", "a=1, SID=abc", "SID =abc", "SID\t=\tabc\t", "SID=abc; a=\"; SID=evil\"",
  "a=\"SID=evil; SID=abc\"; SID=late", "__proto__=x; SID=abc", "SID=abc;SID=def", "SID=\"a\\\"b\"",
];
const rows = headers.map((header) => {
  const value = cookie.parse(header, { decode: (text) => text })["SID"];
  return JSON.stringify([header, value === undefined ? null : value]);
});
console.log("[\n" + rows.join(",\n") + "\n]");
