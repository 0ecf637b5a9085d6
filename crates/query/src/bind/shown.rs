//! Expressions as RisingWave's errors print them: every cast as CAST with the long name of its type, signs apart from
//! what they stand before unless that is a number, lists in parentheses as rows.

use std::ops::ControlFlow;

use sqlparser::ast::{
    CastKind, DataType as AstType, Expr as Ast, Ident, ObjectName, ObjectNamePart, UnaryOperator,
    Value, VisitMut, VisitorMut,
};

use super::literal::data_type;

/// The text of an expression.
pub(crate) fn shown(ast: &Ast) -> String {
    let mut ast = ast.clone();
    let _ = ast.visit(&mut AsShown);
    ast.to_string()
}

struct AsShown;

impl VisitorMut for AsShown {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Ast) -> ControlFlow<()> {
        match expr {
            Ast::Cast {
                kind, data_type, ..
            } => {
                *kind = CastKind::Cast;
                *data_type = long(data_type);
            }
            Ast::TypedString(typed) => typed.data_type = long(&typed.data_type),
            Ast::UnaryOp {
                op: op @ (UnaryOperator::Minus | UnaryOperator::Plus),
                expr: inner,
            } => match inner.as_mut() {
                Ast::Value(value) if matches!(value.value, Value::Number(..)) => {
                    if let (UnaryOperator::Minus, Value::Number(digits, _)) = (op, &mut value.value)
                    {
                        digits.insert(0, '-');
                    }
                    *expr = Ast::Value(value.clone());
                }
                inner => *expr = verbatim(format!("{op} {inner}")),
            },
            Ast::Tuple(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                *expr = verbatim(format!("ROW({})", items.join(", ")));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// An identifier without quotes is printed as it is.
fn verbatim(text: String) -> Ast {
    Ast::Identifier(Ident::new(text))
}

fn long(written: &AstType) -> AstType {
    if matches!(written, AstType::Text) {
        return AstType::Text;
    }
    let Ok(known) = data_type(written) else {
        return written.clone();
    };
    let name = ObjectNamePart::Identifier(Ident::new(known.in_definitions()));
    AstType::Custom(ObjectName(vec![name]), Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::ast::{SelectItem, SetExpr};

    fn printed(sql: &str) -> String {
        let query = crate::parse::query(&format!("SELECT {sql}")).unwrap();
        let SetExpr::Select(select) = *query.body else {
            panic!("{sql}");
        };
        match &select.projection[0] {
            SelectItem::UnnamedExpr(expr) => shown(expr),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn expressions_are_printed_as_risingwave_does() {
        for (sql, expected) in [
            ("f(1024::int8)", "f(CAST(1024 AS BIGINT))"),
            ("-1::varchar", "- CAST(1 AS CHARACTER VARYING)"),
            ("- -1", "--1"),
            ("-a + -2", "- a + -2"),
            (
                "(id, grp) in (select id, grp from t)",
                "ROW(id, grp) IN (SELECT id, grp FROM t)",
            ),
            (
                "timestamptz '2024-01-01' > a::int[]",
                "TIMESTAMP WITH TIME ZONE '2024-01-01' > CAST(a AS INT[])",
            ),
        ] {
            assert_eq!(printed(sql), expected, "{sql}");
        }
    }
}
