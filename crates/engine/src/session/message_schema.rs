//! Columns that come from a schema of messages and not from the statement: Avro with `schema.location`.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::Url;
use rwt_sql::statement::Format;
use rwt_wire::SqlError;

use crate::catalog::{Avro, Column};
use crate::stream::AvroSchema;

/// For a schema to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// The schema of a source's messages, whose fields become its columns; none for other encodings, and where the statement
/// does not say where the schema is.
pub(super) async fn avro_of(
    format: Option<&Format>,
    columns: &mut Vec<Column>,
) -> Result<Option<Avro>, SqlError> {
    let Some(format) = format.filter(|format| format.encode == "AVRO") else {
        return Ok(None);
    };
    let Some(location) = format.options.text("schema.location") else {
        return Ok(None);
    };
    if !columns.is_empty() {
        return Err(SqlError::internal(format!(
            "Protocol error: User-defined schema is not allowed with FORMAT {} ENCODE {}. Please refer to https://www.risingwave.com/docs/current/sql-create-source/ for more information.",
            format.format, format.encode
        )));
    }
    let maps_as_jsonb = match format.options.text("map.handling.mode") {
        None | Some("map") => false,
        Some("jsonb") => true,
        Some(other) => {
            return Err(SqlError::internal(format!(
                "unrecognized map.handling.mode value {other}"
            )));
        }
    };
    let wrong = |why: String| {
        SqlError::internal("Protocol error").because(format!("schema.location '{location}': {why}"))
    };
    let schema = fetched(location).await.map_err(wrong)?;
    let avro = Avro {
        schema,
        maps_as_jsonb,
    };
    let fields = AvroSchema::new(&avro).and_then(|schema| schema.columns());
    let fields = fields.map_err(wrong)?.into_iter();
    columns.extend(fields.map(|(name, data_type)| Column::new(name, data_type)));
    Ok(Some(avro))
}

/// The text behind a URL: `file`, `http` or `https`.
fn fetched(location: &str) -> BoxFuture<'_, Result<String, String>> {
    async move {
    let url = Url::parse(location).map_err(|error| {
        format!("{error}; a URL such as file:///schemas/event.avsc is expected")
    })?;
    match url.scheme() {
        "file" => {
            let path = url.to_file_path();
            let path = path.map_err(|()| "a file URL has an absolute path".to_owned())?;
            let text = tokio::fs::read_to_string(&path).await;
            text.map_err(|error| error.to_string())
        }
        "http" | "https" => {
            let get = async {
                let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
                client
                    .get(url)
                    .send()
                    .await?
                    .error_for_status()?
                    .text()
                    .await
            };
            get.await.map_err(|error| causes(&error))
        }
        other => Err(format!(
            "path scheme `{other}` is not supported in the embedded engine; file, http and https are"
        )),
    }
    }
    .boxed()
}

/// An error with what stands behind it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
