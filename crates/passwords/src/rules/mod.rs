//! Whose rules apply to a stored hash.

pub(crate) mod django;
pub(crate) mod drupal;
pub(crate) mod joomla;
pub(crate) mod php;
pub(crate) mod phpbb;
pub(crate) mod wordpress;

use std::fmt;
use std::str::FromStr;

/// Whose rules decide what a stored hash means and what is done to a typed password first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rules {
    /// Django's `check_password`, 1.4 to 6.1, with every hasher Django ever shipped.
    Django,
    /// Drupal 7 to 11, `PhpassHashedPassword::check` and `user_check_password`.
    Drupal,
    /// Joomla 4 and 5, `UserHelper::verifyPassword`.
    Joomla,
    /// Joomla 1.5 to 3, `JUserHelper::verifyPassword`.
    Joomla3,
    /// PHP's `password_verify` and `crypt`, and the phpass library for plain PHP sites.
    Php,
    /// phpBB 3.0 to 3.3, a password typed at its login page.
    Phpbb,
    /// WordPress to 6.9, a password typed at its login page.
    Wordpress,
}

impl Rules {
    /// All of them, in alphabetical order of their names.
    pub const ALL: [Self; 7] = [
        Self::Django,
        Self::Drupal,
        Self::Joomla,
        Self::Joomla3,
        Self::Php,
        Self::Phpbb,
        Self::Wordpress,
    ];

    /// The rules of that name, as in `joomla3`; `None` where there are none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rules| rules.name() == name)
    }

    /// The name that [`Rules::from_name`] knows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Django => "django",
            Self::Drupal => "drupal",
            Self::Joomla => "joomla",
            Self::Joomla3 => "joomla3",
            Self::Php => "php",
            Self::Phpbb => "phpbb",
            Self::Wordpress => "wordpress",
        }
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Rules {
    type Err = UnknownRules;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::from_name(name).ok_or(UnknownRules)
    }
}

/// A name that stands for no [`Rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRules;

impl fmt::Display for UnknownRules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("unknown rules; there are")?;
        for (position, rules) in Rules::ALL.into_iter().enumerate() {
            let separator = if position == 0 { " " } else { ", " };
            write!(formatter, "{separator}{rules}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownRules {}
