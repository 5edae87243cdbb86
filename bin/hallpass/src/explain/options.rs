//! What is explained.

use clap::Subcommand;

use crate::options::{ConditionOptions, ShownSession};

#[derive(Debug, Subcommand)]
pub enum ExplainCommand {
    /// Explain a password's verdict
    #[command(after_help = "Example:\n  hallpass explain check alice --groups editors < password")]
    Check {
        /// The login name
        user: String,
        #[command(flatten)]
        conditions: ConditionOptions,
    },
    /// Explain that of a session
    #[command(after_help = "Example:\n  hallpass explain session - < token")]
    Session {
        #[command(flatten)]
        shown: ShownSession,
        #[command(flatten)]
        conditions: ConditionOptions,
    },
    /// Explain that of an account, whoever vouches for it
    #[command(after_help = "Example:\n  hallpass explain user alice --permission news.add_story")]
    User {
        /// The login name
        user: String,
        #[command(flatten)]
        conditions: ConditionOptions,
    },
    /// Explain that of an HTTP request, whose headers are on standard input
    #[command(after_help = "Example:\n  hallpass explain request < headers")]
    Request {
        #[command(flatten)]
        conditions: ConditionOptions,
    },
}
