//! SQL functions of users.

use rwt_sql::DataType;

use crate::catalog::Function;

/// A function as queries expand it; `None` if its types are not known any more.
pub(crate) fn query_function(function: &Function) -> Option<rwt_query::SqlFunction> {
    let params = function
        .params
        .iter()
        .map(|(name, t)| Some((name.clone(), DataType::parse(t).ok()?)))
        .collect::<Option<_>>()?;
    Some(rwt_query::SqlFunction {
        params,
        returns: DataType::parse(&function.returns).ok()?,
        body: function.body.clone(),
    })
}
