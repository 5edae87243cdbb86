//! Names the frameworks whose rules apply to a stored hash, and hands each what is its own.

mod aspnet;
mod boards;
mod crypt;
mod devise;
pub(crate) mod django;
mod drupal;
mod joomla;
mod ldap;
mod magento;
mod mediawiki;
mod nextcloud;
mod passlib;
mod php;
mod phpbb;
mod redmine;
mod spring;
mod werkzeug;
mod wordpress;
mod wordpress_application;

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::parsed::Parsed;

pub use self::wordpress_application::ApplicationPassword;

/// Whose rules decide what a stored hash means and what is done to a typed password first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rules {
    /// ASP.NET Identity 2 and 3, `PasswordHasher`.
    Aspnet,
    /// Devise's `valid_password?`, for Ruby on Rails, with the site's pepper.
    Devise,
    /// Django's `check_password`, 1.4 to 6.1, with every hasher Django ever shipped.
    Django,
    /// Drupal, all that any version of it checks: 10.1 and later with its module phpass.
    Drupal,
    /// Drupal from 10.1 on without its module phpass, `PhpPassword::check`.
    Drupal10,
    /// Drupal 7, `user_check_password`, and 8 to 10.0, `PhpassHashedPassword::check`.
    Drupal7,
    /// Joomla 4 and 5, `UserHelper::verifyPassword`.
    Joomla,
    /// Joomla 1.5 to 3, `JUserHelper::verifyPassword`.
    Joomla3,
    /// LDAP servers' `userPassword`, and software that writes the same (Plone).
    Ldap,
    /// Magento 2, `Encryptor::isValidHash`.
    Magento,
    /// MediaWiki, the types of `$wgPasswordConfig`.
    Mediawiki,
    /// Nextcloud and ownCloud, `Hasher::verify`.
    Nextcloud,
    /// passlib 1.7, the common hashers that begin with a name of their own.
    Passlib,
    /// PHP's `password_verify` and `crypt`, and the phpass library for plain PHP sites.
    Php,
    /// phpBB 3.0 to 3.3, a password typed at its login page.
    Phpbb,
    /// Redmine 1.2 to 6, `User#check_password?`, with the row's salt.
    Redmine,
    /// A digest whose salt has a column of its own (MyBB, vBulletin, XenForo 1.0).
    Salted,
    /// SMF 1.1 to 2.1, which hash the login name with the password.
    Smf,
    /// Spring Security's `DelegatingPasswordEncoder`.
    Spring,
    /// Werkzeug's `check_password_hash`, 0.x to 3.1.
    Werkzeug,
    /// WordPress to 6.9, a password typed at its login page.
    Wordpress,
    /// XenForo 1 and 2, the serialized column `data`.
    Xenforo,
}

impl Rules {
    /// All of them, in alphabetical order of their names.
    pub const ALL: [Self; 22] = [
        Self::Aspnet,
        Self::Devise,
        Self::Django,
        Self::Drupal,
        Self::Drupal10,
        Self::Drupal7,
        Self::Joomla,
        Self::Joomla3,
        Self::Ldap,
        Self::Magento,
        Self::Mediawiki,
        Self::Nextcloud,
        Self::Passlib,
        Self::Php,
        Self::Phpbb,
        Self::Redmine,
        Self::Salted,
        Self::Smf,
        Self::Spring,
        Self::Werkzeug,
        Self::Wordpress,
        Self::Xenforo,
    ];

    /// Those that between them know every format that names itself, the likeliest first: of the first
    /// that knows a hash it is.
    ///
    /// A digest in hexadecimal is that of the password, or with a salt in a column of its own, that of
    /// both.
    pub const SELF_DESCRIBING: [Self; 15] = [
        Self::Salted,
        Self::Django,
        Self::Php,
        Self::Passlib,
        Self::Werkzeug,
        Self::Ldap,
        Self::Spring,
        Self::Nextcloud,
        Self::Mediawiki,
        Self::Magento,
        Self::Xenforo,
        Self::Aspnet,
        Self::Wordpress,
        Self::Drupal,
        Self::Phpbb,
    ];

    /// These rules and no others.
    pub fn alone(self) -> &'static [Self] {
        static ALL: [Rules; Rules::ALL.len()] = Rules::ALL;
        let alone = ALL.iter().position(|rules| *rules == self);
        alone.and_then(|at| ALL.get(at..=at)).unwrap_or_default()
    }

    /// The rules of that name, as in `joomla3`; `None` where there are none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rules| rules.name() == name)
    }

    /// The name that [`Rules::from_name`] knows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aspnet => "aspnet",
            Self::Devise => "devise",
            Self::Django => "django",
            Self::Drupal => "drupal",
            Self::Drupal10 => "drupal10",
            Self::Drupal7 => "drupal7",
            Self::Joomla => "joomla",
            Self::Joomla3 => "joomla3",
            Self::Ldap => "ldap",
            Self::Magento => "magento",
            Self::Mediawiki => "mediawiki",
            Self::Nextcloud => "nextcloud",
            Self::Passlib => "passlib",
            Self::Php => "php",
            Self::Phpbb => "phpbb",
            Self::Redmine => "redmine",
            Self::Salted => "salted",
            Self::Smf => "smf",
            Self::Spring => "spring",
            Self::Werkzeug => "werkzeug",
            Self::Wordpress => "wordpress",
            Self::Xenforo => "xenforo",
        }
    }

    /// Whether `encoded` marks an account without a password.
    pub(crate) fn mark_unusable(self, encoded: &str) -> bool {
        self == Self::Django && django::is_unusable(encoded)
    }

    /// Parses a stored hash; `None` where the software cannot make sense of it.
    pub(crate) fn parse(self, encoded: &str) -> Option<Parsed> {
        match self {
            Self::Aspnet => aspnet::parse(encoded),
            Self::Devise => devise::parse(encoded),
            Self::Django => django::parse(encoded),
            Self::Drupal => drupal::parse(encoded),
            Self::Drupal10 => drupal::parse_10(encoded),
            Self::Drupal7 => drupal::parse_7(encoded),
            Self::Joomla => joomla::parse(encoded),
            Self::Joomla3 => joomla::parse_3(encoded),
            Self::Ldap => ldap::parse(encoded),
            Self::Magento => magento::parse(encoded),
            Self::Mediawiki => mediawiki::parse(encoded),
            Self::Nextcloud => nextcloud::parse(encoded),
            Self::Passlib => passlib::parse(encoded),
            Self::Php => php::parse(encoded),
            Self::Phpbb => phpbb::parse(encoded),
            Self::Redmine => redmine::parse(encoded),
            Self::Salted => boards::salted(encoded),
            Self::Smf => boards::smf(encoded),
            Self::Spring => spring::parse(encoded),
            Self::Werkzeug => werkzeug::parse(encoded),
            Self::Wordpress => wordpress::parse(encoded),
            Self::Xenforo => boards::xenforo(encoded),
        }
    }

    /// The forms of a typed password that the software tries, in its order; none for a password
    /// that it refuses unseen.
    pub(crate) fn forms(self, password: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
        match self {
            Self::Devise => devise::forms(password).into_iter().collect(),
            Self::Drupal | Self::Drupal10 => drupal::forms(password),
            Self::Drupal7 => drupal::trimmed(password),
            Self::Joomla | Self::Joomla3 => joomla::forms(password).into_iter().collect(),
            Self::Mediawiki => vec![mediawiki::forms(password)],
            Self::Passlib => passlib::forms(password).into_iter().collect(),
            Self::Phpbb => phpbb::forms(password).into_iter().collect(),
            Self::Redmine => redmine::forms(password).into_iter().collect(),
            Self::Wordpress => wordpress::forms(password).into_iter().collect(),
            _ => vec![Zeroizing::new(password.to_vec())],
        }
    }

    /// How many forms of a typed password are hashed if none of them is right: those that are not
    /// too long.
    pub(crate) fn attempts(self, password: &[u8]) -> usize {
        let longest = match self {
            Self::Drupal | Self::Drupal10 | Self::Drupal7 => drupal::LENGTH,
            Self::Wordpress => wordpress::LENGTH,
            _ => usize::MAX,
        };
        let forms = self.forms(password).into_iter();
        forms.filter(|form| form.len() <= longest).count()
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

/// A name that is not one of [`Rules`].
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_costs_an_unknown_account_what_it_costs_a_known_one() {
        let long = [b'k'; 5000];
        let rows: [(&[u8], [usize; 4]); 8] = [
            // Drupal, Joomla, phpBB, WordPress.
            (b"secret", [1, 1, 1, 1]),
            (b"it's", [1, 1, 1, 1]),
            (b" secret ", [2, 1, 1, 1]),
            (b"a&amp;b", [1, 1, 1, 1]),
            (b"", [0, 0, 0, 0]),
            (b"0", [1, 0, 0, 0]),
            (b"   ", [0, 1, 0, 0]),
            (&long, [0, 1, 0, 0]),
        ];
        for (password, expected) in rows {
            let rules = [Rules::Drupal, Rules::Joomla, Rules::Phpbb, Rules::Wordpress];
            assert_eq!(
                rules.map(|rules| rules.attempts(password)),
                expected,
                "{password:?}"
            );
        }
    }
}
