//! The names that RisingWave gives to columns without an alias.

use sqlparser::ast::{AccessExpr, DataType as AstType, Expr as Ast};

use super::literal::data_type;
use crate::names::{folded, parts};
use rwt_sql::DataType;

/// The name of a result column: that of the column or function, or of the type of a cast, or `?column?`.
pub(crate) fn output_name(ast: &Ast) -> String {
    name(ast).unwrap_or_else(|| "?column?".into())
}

/// As [`output_name`], without a made-up one.
pub(crate) fn name(ast: &Ast) -> Option<String> {
    Some(match ast {
        Ast::Identifier(ident) => folded(ident),
        Ast::CompoundIdentifier(idents) => folded(idents.last()?),
        Ast::Nested(inner) | Ast::Collate { expr: inner, .. } => return name(inner),
        Ast::Cast {
            expr, data_type, ..
        } => return name(expr).or_else(|| type_name(data_type)),
        Ast::TypedString(typed) => return type_name(&typed.data_type),
        Ast::Interval(_) => "interval".into(),
        Ast::Function(function) => parts(&function.name).join("."),
        Ast::Case { .. } => "case".into(),
        Ast::Array(_) => "array".into(),
        Ast::Tuple(_) => "row".into(),
        Ast::Extract { .. } => "extract".into(),
        Ast::Ceil { .. } => "ceil".into(),
        Ast::Floor { .. } => "floor".into(),
        Ast::Substring {
            shorthand, special, ..
        } if *special => if *shorthand { "substr" } else { "substring" }.into(),
        Ast::CompoundFieldAccess { root, access_chain } => match access_chain.last()? {
            AccessExpr::Dot(Ast::Identifier(field)) => folded(field),
            AccessExpr::Dot(_) => return None,
            AccessExpr::Subscript(_) => return name(root),
        },
        _ => return None,
    })
}

/// The short name of a type: `int4`, `varchar`.
fn type_name(ast: &AstType) -> Option<String> {
    Some(short_name(&data_type(ast).ok()?))
}

/// The short name of a type, as in `pg_type.typname`.
pub(crate) fn short_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "bool".into(),
        DataType::SmallInt => "int2".into(),
        DataType::Integer => "int4".into(),
        DataType::BigInt => "int8".into(),
        DataType::Real => "float4".into(),
        DataType::Double => "float8".into(),
        DataType::Varchar => "varchar".into(),
        DataType::Time => "time".into(),
        DataType::Timestamp => "timestamp".into(),
        DataType::Timestamptz => "timestamptz".into(),
        DataType::List(_) => "list".into(),
        DataType::Struct(_) => "struct".into(),
        other => other.to_string(),
    }
}
