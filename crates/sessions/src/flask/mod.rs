//! Reads the sessions of Flask: its signed cookies, and what Flask-Session keeps on the server.

mod payload;
mod remembered;
mod signing;

pub use self::payload::{read_cookie, read_stored};
pub use self::remembered::RememberKey;
pub use self::signing::{CookieKeys, Opened, SidKey};
