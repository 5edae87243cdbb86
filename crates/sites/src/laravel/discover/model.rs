//! Reads the class of the guard's model, as far as its source says which rows are accounts. PHP is not
//! run, so what a class may inherit from elsewhere is refused.

use std::path::Path;

use anyhow::{Context, bail};
use hallpass_php_literals::words;

use crate::init::site_file;

/// What adds conditions to the model's queries, or other columns to what the guard reads.
const RULES: [&str; 13] = [
    "addGlobalScope",
    "addGlobalScopes",
    "ScopedBy",
    "newEloquentBuilder",
    "newQuery",
    "newModelQuery",
    "getAuthPassword",
    "getAuthPasswordName",
    "getAuthIdentifier",
    "getAuthIdentifierName",
    "getRememberTokenName",
    "$authPasswordName",
    "$rememberTokenName",
];
/// Traits that do neither, of the framework and of what usually comes with it.
const TRAITS: [&str; 20] = [
    "Authenticatable",
    "Authorizable",
    "Billable",
    "CanResetPassword",
    "HasApiTokens",
    "HasFactory",
    "HasPermissions",
    "HasProfilePhoto",
    "HasRoles",
    "HasTeams",
    "HasUlids",
    "HasUuids",
    "InteractsWithMedia",
    "LogsActivity",
    "MustVerifyEmail",
    "Notifiable",
    "PasskeyAuthenticatable",
    "SoftDeletes",
    "TwoFactorAuthenticatable",
    "Impersonate",
];
/// What a model may extend.
const PARENTS: [&str; 3] = ["Authenticatable", "User", "Model"];

/// What the model says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) table: String,
    pub(super) key: String,
    /// The column of `SoftDeletes`.
    pub(super) deleted_at: Option<String>,
    /// Whether its addresses are to be verified.
    pub(super) verifies: bool,
    /// Whether it has roles.
    pub(super) roles: bool,
}

/// Reads the model `class` of the site in `directory`. Nothing is known of traits but of those above
/// and `known`.
pub(super) fn read(directory: &Path, class: &str, known: &[String]) -> anyhow::Result<Model> {
    let path = class.strip_prefix("App\\").map(|it| it.replace('\\', "/"));
    let path = path.with_context(|| {
        format!(
            "nothing is written: the model {class} is not in the site's own `App`, and which of its \
             rows are accounts is not read; write the configuration by hand"
        )
    })?;
    let path = directory.join("app").join(format!("{path}.php"));
    let source = site_file::read(&path)?;
    model(&source, class, known).with_context(|| {
        format!(
            "nothing is written: {}: which rows are accounts cannot be told; write the configuration \
             by hand, with what the model adds as a condition in SQL, `where` in [access]",
            path.display()
        )
    })
}

fn model(source: &[u8], class: &str, known: &[String]) -> anyhow::Result<Model> {
    let short = class.rsplit('\\').next().unwrap_or(class);
    let words = words(source)?;
    let last = |word: &str| word.rsplit('\\').next().unwrap_or(word).to_owned();
    if let Some(rule) = words.iter().find(|it| RULES.contains(&last(it).as_str())) {
        bail!("the model has a {rule} of its own");
    }
    let at = words
        .windows(2)
        .position(|it| matches!(it, [class, name] if class == "class" && name == short));
    let body = at
        .and_then(|at| words.get(at + 2..))
        .with_context(|| format!("there is no class {short}"))?;
    match body {
        [extends, parent, ..]
            if extends == "extends" && PARENTS.contains(&last(parent).as_str()) => {}
        [extends, parent, ..] if extends == "extends" => {
            bail!("it extends {parent}, which is not read")
        }
        _ => bail!("it extends nothing"),
    }
    let mut traits = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.iter().position(|it| it == "use") {
        rest = rest.get(at + 1..).unwrap_or_default();
        let end = rest.iter().position(|it| it == ";").unwrap_or(rest.len());
        // Words of closures that take variables are not traits.
        let names = rest.iter().take(end).filter(|it| !it.starts_with('$'));
        traits.extend(names.map(|it| last(it)));
        if traits.len() > 100 {
            bail!("it has too many traits");
        }
    }
    let unknown = |it: &&String| !TRAITS.contains(&it.as_str()) && !known.contains(it);
    if let Some(unknown) = traits.iter().find(unknown) {
        bail!(
            "what the trait {unknown} adds is not read; if it puts no condition on rows, say --trait \
             {unknown}"
        );
    }
    // A property that the class declares, which is a string: what a trait declares is the same.
    let property = |name: &str| {
        let declared = body.windows(2).position(|it| match it {
            [scope, variable] => {
                matches!(scope.as_str(), "protected" | "public") && *variable == format!("${name}")
            }
            _ => false,
        });
        let value = declared.and_then(|at| body.get(at + 2..));
        match value {
            None => Ok(None),
            Some([value, end, ..]) if end == ";" && is_plain(value) => Ok(Some(value.clone())),
            Some(_) => bail!("its ${name} is not a plain name"),
        }
    };
    if property("connection")?.is_some() {
        bail!("its accounts are in another database: give `database`");
    }
    let soft = traits.iter().any(|it| it == "SoftDeletes");
    let named = words
        .windows(2)
        .find(|it| it.first().is_some_and(|it| it == "DELETED_AT"));
    let named = named.and_then(|it| it.get(1)).cloned();
    Ok(Model {
        table: match property("table")? {
            Some(table) => table,
            None => {
                table_of(short).with_context(|| format!("the table of {short} is not known"))?
            }
        },
        key: property("primaryKey")?.unwrap_or_else(|| "id".to_owned()),
        deleted_at: soft.then(|| named.unwrap_or_else(|| "deleted_at".to_owned())),
        verifies: body
            .iter()
            .take_while(|it| *it != ";")
            .any(|it| last(it) == "MustVerifyEmail"),
        roles: traits.iter().any(|it| it == "HasRoles"),
    })
}

/// Whether `text` is the name of a table or a column. `self::NAME` and the like are words, too.
fn is_plain(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    !text.is_empty() && text.bytes().all(known) && !matches!(text, "self" | "static" | "null")
}

/// The table of a class: its name in small letters with an `s`, for the plurals that are made so.
fn table_of(class: &str) -> Option<String> {
    let mut name = String::new();
    for letter in class.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    let regular = [
        "user", "admin", "member", "customer", "account", "employee", "client", "student",
        "teacher",
    ];
    let last = name.rsplit('_').next()?;
    regular.contains(&last).then(|| format!("{name}s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "<?php\nnamespace App\\Models;\nuse Illuminate\\Foundation\\Auth\\User as Authenticatable;\n";

    fn of(class: &str) -> Result<Model, String> {
        let source = format!("{HEAD}{class}");
        model(source.as_bytes(), "App\\Models\\User", &["Mine".to_owned()])
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn models_of_the_framework_are_read() {
        let usual = of("class User extends Authenticatable { use HasFactory, Notifiable; protected $hidden = ['password']; }").unwrap();
        assert_eq!((usual.table.as_str(), usual.key.as_str()), ("users", "id"));
        assert_eq!(
            (usual.deleted_at, usual.verifies, usual.roles),
            (None, false, false)
        );
        let more = of(
            "class User extends Authenticatable implements MustVerifyEmail {
            use HasApiTokens; use SoftDeletes, HasRoles, Mine; const DELETED_AT = 'closed_at';
            protected $table = 'people'; protected $primaryKey = 'person_id';
            // addGlobalScope
        }",
        )
        .unwrap();
        assert_eq!(
            (more.table.as_str(), more.key.as_str()),
            ("people", "person_id")
        );
        assert_eq!(more.deleted_at.as_deref(), Some("closed_at"));
        assert!(more.verifies && more.roles);
    }

    #[test]
    fn rules_of_the_models_own_are_refused() {
        for class in [
            "class User extends Authenticatable { protected static function booted() { static::addGlobalScope('active', fn ($q) => $q); } }",
            "#[ScopedBy([ActiveScope::class])]\nclass User extends Authenticatable { }",
            "class User extends Authenticatable { public function getAuthPassword() { return $this->hash; } }",
            "class User extends Authenticatable { protected $authPasswordName = 'hash'; }",
            "class User extends Authenticatable { use Suspendable; }",
            "class User extends Base { }",
            "class User { }",
            "class Member extends Authenticatable { }",
            "class User extends Authenticatable { protected $table = self::NAME; }",
            "class User extends Authenticatable { protected $connection = 'other'; }",
            "class User extends Authenticatable { public function newEloquentBuilder($q) { return new B($q); } }",
        ] {
            assert!(of(class).is_err(), "{class}");
        }
    }
}
