//! Describes statements: the types of their parameters, and their columns.

use std::io;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::Oid;
use postgres_protocol::message::backend::{Message, RowDescriptionBody};
use postgres_protocol::message::frontend;
use postgres_types::{Kind, Type};

use super::super::Value;
use super::super::server::{Failure, MOST_STATEMENTS};
use super::super::statement::{Dialect, Statement};
use super::error::Error;
use super::exchange::{parse, run};
use super::parameter::Bound;
use super::value::{is_readable, row};
use super::wire::UNEXPECTED;
use super::{ICU, Postgres, Standing, refused};

/// The deepest nesting of domains.
const DEEPEST_DOMAIN: usize = 16;

const UNDEFINED_OBJECT: &str = "42704";

/// A described statement.
pub(super) struct Ready {
    pub(super) statement: Statement,
    /// Its name at the server; `None` where it is not prepared.
    pub(super) name: Option<String>,
    pub(super) parameters: Vec<Type>,
    pub(super) columns: Vec<Column>,
    /// What it was before some of its columns were cast.
    pub(super) original: Option<Original>,
}

impl Ready {
    pub(super) fn names(&self) -> Vec<String> {
        let original = self.original.as_ref();
        let columns = original.map_or(&self.columns, |original| &original.columns);
        columns.iter().map(|column| column.name.clone()).collect()
    }
}

/// A statement some of whose columns cannot be read. It is described each time, since the one that
/// casts them calls them by their places alone.
pub(super) struct Original {
    pub(super) text: String,
    pub(super) columns: Vec<Column>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Column {
    name: String,
    pub(super) kind: Type,
}

impl Postgres {
    /// Describes the statement `text`, once.
    pub(super) async fn know(&mut self, text: &str) -> Result<(), Failure> {
        if !self.statements.contains_key(text) {
            let ready = self.learn(text).await?;
            if self.statements.len() >= MOST_STATEMENTS {
                let all: Vec<String> = self.statements.keys().cloned().collect();
                all.iter().for_each(|text| self.forget(text));
            }
            self.statements.insert(text.to_owned(), ready);
        }
        Ok(())
    }

    pub(super) fn forget(&mut self, text: &str) {
        let ready = self.statements.remove(text);
        self.closing.extend(ready.and_then(|ready| ready.name));
    }

    /// The prepared statement belongs to another session, which drops it.
    pub(super) fn note_pooler(&mut self) {
        self.standing = Standing::Pooled;
        self.closing.clear();
        for ready in self.statements.values_mut() {
            ready.name = None;
        }
    }

    async fn learn(&mut self, text: &str) -> Result<Ready, Failure> {
        let mut statement = Statement::new(text, Dialect::Postgres).map_err(refused)?;
        let mut described = self.describe(&statement.text).await;
        if let Err(error) = &described
            && error.code() == UNDEFINED_OBJECT
            && statement.text.contains(ICU)
            && self.standing != Standing::Changing
        {
            statement.text = statement.text.replace(ICU, "");
            described = self.describe(&statement.text).await;
        }
        let (parameters, mut columns) = described.map_err(|error| self.failure(error))?;
        let mut original = None;
        if let Some(column) = columns.iter().find(|column| !is_readable(&column.kind)) {
            let cause = format!(
                "the column {} is of the type {}, which cannot be read; write it as text in the \
                 statement (`::text`)",
                column.name, column.kind
            );
            let text = as_text(&statement.text, &columns);
            let text = std::mem::replace(&mut statement.text, text);
            let described = self.describe(&statement.text).await;
            let described = described.map_err(|error| match self.failure(error) {
                Failure::Refused(_) => Failure::Refused(cause),
                other => other,
            })?;
            let columns = std::mem::replace(&mut columns, described.1);
            original = Some(Original { text, columns });
        }
        Ok(Ready {
            statement,
            name: None,
            parameters,
            columns,
            original,
        })
    }

    /// The types of the parameters of `sql`, and its columns.
    async fn describe(&mut self, sql: &str) -> Result<(Vec<Type>, Vec<Column>), Error> {
        let mut out = BytesMut::new();
        parse("", sql, &[], &mut out)?;
        frontend::describe(b'S', "", &mut out)?;
        let (mut parameters, mut columns) = (Vec::new(), Vec::new());
        self.exchange(&out, 0, |message| {
            match message {
                Message::ParameterDescription(body) => parameters = body.parameters().collect()?,
                Message::RowDescription(body) => {
                    let field = body.fields();
                    let field = field.map(|field| Ok((field.name().to_owned(), field.type_oid())));
                    columns = field.collect::<Vec<_>>()?;
                }
                _ => {}
            }
            Ok(())
        })
        .await?;
        let (mut kinds, mut described) = (Vec::new(), Vec::new());
        for oid in parameters {
            kinds.push(self.kind(oid).await?);
        }
        for (name, oid) in columns {
            let kind = self.kind(oid).await?;
            described.push(Column { name, kind });
        }
        Ok((kinds, described))
    }

    /// The type that the database has under the number `oid`.
    async fn kind(&mut self, oid: Oid) -> Result<Type, Error> {
        let mut domains = Vec::new();
        let mut next = oid;
        let mut kind = loop {
            if let Some(kind) = Type::from_oid(next).or_else(|| self.types.get(&next).cloned()) {
                break kind;
            }
            let (name, schema, category, base) = self.look_up_type(next).await?;
            match category.as_str() {
                "d" if domains.len() < DEEPEST_DOMAIN => {
                    domains.push((name, next, schema));
                    next = base;
                }
                "e" => break Type::new(name, next, Kind::Enum(Vec::new()), schema),
                _ => break Type::new(name, next, Kind::Simple, schema),
            }
        };
        while let Some((name, oid, schema)) = domains.pop() {
            kind = Type::new(name, oid, Kind::Domain(kind), schema);
        }
        self.types.insert(oid, kind.clone());
        Ok(kind)
    }

    async fn look_up_type(&mut self, oid: Oid) -> Result<(String, String, String, Oid), Error> {
        const STATEMENT: &str = "SELECT t.typname::text, n.nspname::text, t.typtype::text, \
             t.typbasetype FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON \
             n.oid = t.typnamespace WHERE t.oid = $1";
        let mut out = BytesMut::new();
        parse("", STATEMENT, &[Type::OID], &mut out)?;
        run("", &[Bound::Text(oid.to_string())], 1, false, &mut out)?;
        let mut found = None;
        self.exchange(&out, 1, |message| {
            if let Message::DataRow(body) = message {
                let kinds = [Type::TEXT, Type::TEXT, Type::TEXT, Type::OID];
                found = Some(row(&body, kinds.iter())?);
            }
            Ok(())
        })
        .await?;
        let mut row = found.ok_or(Error::Protocol("a type is not in pg_type"))?;
        let mut text = |index| row.text(index).ok_or(UNEXPECTED);
        let (name, schema, category) = (text(0)?, text(1)?, text(2)?);
        match row.take(3) {
            Value::Integer(base) => {
                let base = Oid::try_from(base).map_err(|_| UNEXPECTED)?;
                Ok((name, schema, category, base))
            }
            _ => Err(UNEXPECTED),
        }
    }
}

/// Whether `body` describes `columns`, by name and type: a view or table that was made anew may
/// have others of the same types in their places.
pub(super) fn is_of(body: &RowDescriptionBody, columns: &[Column]) -> io::Result<bool> {
    let fields = body.fields();
    let fields = fields.map(|field| Ok((field.name().to_owned(), field.type_oid())));
    let known = columns.iter();
    let known = known.map(|column| (column.name.clone(), column.kind.oid()));
    Ok(fields.collect::<Vec<_>>()? == known.collect::<Vec<_>>())
}

/// `text` with the columns cast that cannot be read as they are.
fn as_text(text: &str, columns: &[Column]) -> String {
    let (mut names, mut casts) = (Vec::new(), Vec::new());
    for (index, column) in columns.iter().enumerate() {
        names.push(format!("c{index}"));
        let cast = if is_readable(&column.kind) {
            ""
        } else {
            "::text"
        };
        casts.push(format!("c{index}{cast}"));
    }
    let text = text.trim_end().trim_end_matches(';');
    // A comment may stand at its end.
    let (names, casts) = (names.join(", "), casts.join(", "));
    format!("SELECT {casts} FROM ({text}\n) AS hallpass ({names})")
}
