//! Opens the cookies of Ruby on Rails, and reads who is logged in to a session.
//!
//! Sources: `message_encryptor.rb`, `messages/metadata.rb` and `key_generator.rb` of Active Support
//! and `middleware/cookies.rb` of Action Pack, 5.2 to 8.1; Warden 1.2 and Devise 4.8, which keep the
//! login; Redmine 5.0, which has its own.
//!
//! ```
//! use hallpass_sessions::rails::{Serializer, devise};
//!
//! // What a cookie holds, once it is open.
//! let session = br#"{"session_id":"9b","warden.user.user.key":[[7],"$2a$12$Q0ZzvF3kTz0yqVd1Mo5n3u"]}"#;
//! let login = devise(session, Serializer::Json, "user")?.ok_or("nobody is logged in")?;
//! assert_eq!(login.key, "7");
//! assert_eq!(login.salt.as_deref(), Some("$2a$12$Q0ZzvF3kTz0yqVd1Mo5n3u"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cookie;
mod credentials;
mod login;
mod marshal;
mod node;
mod remembered;

pub use self::cookie::{Container, KeyDigest, Keyring, Opened, SignedDigest, Version};
pub use self::credentials::open_credentials;
pub use self::login::{
    DeviseLogin, LastRequest, RedmineLogin, devise, private_id, redmine, stored,
};
pub use self::node::Serializer;
pub use self::remembered::DeviseRecaller;
