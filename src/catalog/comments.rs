//! Comments on relations and columns.

use std::collections::HashMap;

use rwt_compiler::materialize::DatabaseError;
use rwt_plan::catalog::ObjectId;

use crate::client::Connection;

/// Comments by object and place: 0 for the object, else the column's number, from 1.
pub type Comments = HashMap<(ObjectId, usize), String>;

const COMMENTS: &str = "select objoid, objsubid, description from rw_catalog.rw_description";

/// Reads all comments.
///
/// # Errors
/// What the server refused.
pub fn comments(connection: &Connection) -> Result<Comments, DatabaseError> {
    let rows = connection.query(COMMENTS)?.rows;
    let comment = |row: Vec<Option<String>>| {
        let mut cells = row.into_iter();
        let id = cells.next()??.parse().ok()?;
        // RisingWave has no number where the comment is on the object.
        let place = cells.next()?.and_then(|place| place.parse().ok());
        let text = cells.next()??;
        Some(((id, place.unwrap_or(0)), text))
    };
    Ok(rows.into_iter().filter_map(comment).collect())
}
