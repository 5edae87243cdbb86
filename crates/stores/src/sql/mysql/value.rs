//! Converts values to and from those of MySQL and MariaDB.

use mysql_async::Column;
use mysql_async::consts::ColumnType;

use super::super::civil::{decimals, utc, write};
use super::super::value::{Row, Value};

/// The collation of what is not text.
const BINARY: u16 = 63;

/// A value as a parameter. Numbers are bound as text, which equals the same columns and no others:
/// for a number that is compared with text, the text is what is converted, and every word equals
/// zero.
pub(super) fn parameter(value: &Value) -> mysql_async::Value {
    match value {
        Value::Null => mysql_async::Value::NULL,
        Value::Integer(integer) => mysql_async::Value::Bytes(integer.to_string().into_bytes()),
        Value::Real(real) => mysql_async::Value::Bytes(real.to_string().into_bytes()),
        Value::Text(text) => mysql_async::Value::Bytes(text.as_bytes().to_vec()),
        Value::Bytes(bytes) => mysql_async::Value::Bytes(bytes.clone()),
        Value::Moment(moment) => mysql_async::Value::Bytes(utc(*moment).into_bytes()),
    }
}

/// A row in our values.
pub(super) fn row(row: mysql_async::Row) -> Row {
    let columns = row.columns();
    let values = columns.iter().zip(row.unwrap());
    Row(values.map(|(column, given)| value(given, column)).collect())
}

pub(crate) fn value(value: mysql_async::Value, column: &Column) -> Value {
    let has_date_alone = column.column_type() == ColumnType::MYSQL_TYPE_DATE;
    match value {
        mysql_async::Value::NULL => Value::Null,
        mysql_async::Value::Int(integer) => Value::Integer(integer),
        mysql_async::Value::UInt(integer) => {
            i64::try_from(integer).map_or_else(|_| Value::Text(integer.to_string()), Value::Integer)
        }
        mysql_async::Value::Float(real) => Value::Real(real.into()),
        mysql_async::Value::Double(real) => Value::Real(real),
        mysql_async::Value::Date(year, month, day, hour, minute, second, micros) => {
            let mut text = String::with_capacity("YYYY-MM-DD HH:MM:SS.ffffff".len());
            write(&mut text, year.into(), 4);
            for (mark, number) in [('-', month), ('-', day)] {
                text.push(mark);
                write(&mut text, number.into(), 2);
            }
            if has_date_alone {
                return Value::Text(text);
            }
            for (mark, number) in [(' ', hour), (':', minute), (':', second)] {
                text.push(mark);
                write(&mut text, number.into(), 2);
            }
            if micros > 0 {
                text.push('.');
                write(&mut text, micros, 6);
            }
            Value::Text(text)
        }
        mysql_async::Value::Time(negative, days, hours, minute, second, micros) => {
            let sign = if negative { "-" } else { "" };
            let hours = u64::from(days) * 24 + u64::from(hours);
            let decimals = decimals(micros.into());
            Value::Text(format!(
                "{sign}{hours:02}:{minute:02}:{second:02}{decimals}"
            ))
        }
        mysql_async::Value::Bytes(bytes) => of_bytes(bytes, column),
    }
}

fn of_bytes(bytes: Vec<u8>, column: &Column) -> Value {
    let is_text = match column.column_type() {
        // A few bits are a number, and one of them a boolean.
        ColumnType::MYSQL_TYPE_BIT => {
            let number = bytes.iter().try_fold(0_i64, |number, byte| {
                number.checked_mul(256)?.checked_add(i64::from(*byte))
            });
            return number.map_or(Value::Bytes(bytes), Value::Integer);
        }
        // Said to be binary, and written in digits or letters all the same.
        ColumnType::MYSQL_TYPE_NEWDECIMAL
        | ColumnType::MYSQL_TYPE_DECIMAL
        | ColumnType::MYSQL_TYPE_JSON => true,
        _ => column.character_set() != BINARY,
    };
    if !is_text {
        return Value::Bytes(bytes);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Value::Text(text),
        Err(error) => Value::Bytes(error.into_bytes()),
    }
}
