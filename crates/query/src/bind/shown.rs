//! Expressions as RisingWave's errors print them: every cast as CAST with the long name of its type, signs apart from
//! what they stand before unless that is a number, lists in parentheses as rows.

use std::ops::ControlFlow;

use sqlparser::ast::{
    CastKind, DataType as AstType, Expr as Ast, Ident, JoinOperator, ObjectName, ObjectNamePart,
    Query, SetExpr, TableFactor, TableWithJoins, UnaryOperator, Value, VisitMut, VisitorMut,
};

use super::literal::data_type;

/// The text of an expression.
pub(crate) fn shown(ast: &Ast) -> String {
    let mut ast = ast.clone();
    let _ = ast.visit(&mut AsShown);
    ast.to_string()
}

/// A query as RisingWave's definitions print it; none for what only its own syntax says, which the tree has no words for.
pub(crate) fn shown_query(sql: &str) -> Option<String> {
    let text = printed(sql)?;
    // A text that reads as something else is no text of this query.
    (printed(&text)? == text).then_some(text)
}

fn printed(sql: &str) -> Option<String> {
    let mut statement = crate::parse::statement(sql).ok()?;
    let _ = statement.visit(&mut AsShown);
    let text = statement.to_string();
    (!crate::parse::stands_for_other_syntax(&text)).then_some(text)
}

struct AsShown;

impl VisitorMut for AsShown {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = query.body.as_mut() {
            select.from.iter_mut().for_each(short_joins);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::NestedJoin { alias, .. } = factor
            && let Some(alias) = alias
        {
            alias.explicit = true;
        }
        ControlFlow::Continue(())
    }

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

/// INNER and OUTER are not said.
fn short_joins(from: &mut TableWithJoins) {
    use JoinOperator as J;
    for join in &mut from.joins {
        let operator = std::mem::replace(&mut join.join_operator, J::CrossApply);
        join.join_operator = match operator {
            J::Inner(on) => J::Join(on),
            J::LeftOuter(on) => J::Left(on),
            J::RightOuter(on) => J::Right(on),
            other => other,
        };
        if let TableFactor::NestedJoin {
            table_with_joins, ..
        } = &mut join.relation
        {
            short_joins(table_with_joins);
        }
    }
    if let TableFactor::NestedJoin {
        table_with_joins, ..
    } = &mut from.relation
    {
        short_joins(table_with_joins);
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
    use sqlparser::ast::SelectItem;

    fn expression(sql: &str) -> String {
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
            assert_eq!(expression(sql), expected, "{sql}");
        }
    }

    #[test]
    fn queries_are_printed_as_risingwave_does() {
        for (sql, expected) in [
            (
                "select a.x ax, count(*) n from t as a inner join s b on a.x=b.x\nleft outer join u using (x) where not a.y<>1",
                "SELECT a.x AS ax, count(*) AS n FROM t AS a JOIN s AS b ON a.x = b.x LEFT JOIN u USING(x) WHERE NOT a.y <> 1",
            ),
            (
                "with c as (select \"B\"::int8, 'it''s' from Tab) select * from c -- all\n order by 1 desc limit 3",
                "WITH c AS (SELECT CAST(\"B\" AS BIGINT), 'it''s' FROM Tab) SELECT * FROM c ORDER BY 1 DESC LIMIT 3",
            ),
            (
                "(select max(v) over (partition by k order by t desc rows between 1 preceding and current row) from tumble(t, ts, interval '1' minute))",
                "(SELECT max(v) OVER (PARTITION BY k ORDER BY t DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM tumble(t, ts, INTERVAL '1' MINUTE))",
            ),
            (
                "select case when a in (1,2) then true else null end from t where exists(select 1 from s) union all select b[1] from s",
                "SELECT CASE WHEN a IN (1, 2) THEN true ELSE NULL END FROM t WHERE EXISTS (SELECT 1 FROM s) UNION ALL SELECT b[1] FROM s",
            ),
        ] {
            assert_eq!(shown_query(sql).as_deref(), Some(expected), "{sql}");
        }
        for sql in [
            "SELECT a IS JSON FROM t",
            "SELECT array_transform(a, |x| x + 1) FROM t",
            "SELECT * FROM t ASOF JOIN s ON t.a = s.a AND t.b > s.b",
        ] {
            assert_eq!(shown_query(sql), None, "{sql}");
        }
    }
}
