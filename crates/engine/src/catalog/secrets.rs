//! Options whose values are secrets. They are kept as references, so that no catalog shows them and a changed secret
//! reaches what uses it; the values are put in where a connection is made.

use super::{Body, Catalog, Kind, ObjectId, Sink, Source};

impl Catalog {
    /// The value of a secret; empty if it was made by an older rwt, which kept none.
    pub fn secret(&self, id: ObjectId) -> &str {
        match self.get(id).map(|object| &object.body) {
            Some(Body::Secret(secret)) => &secret.value,
            _ => "",
        }
    }

    /// A source with the values of its secrets among its options.
    pub fn opened_source(&self, source: &Source) -> Source {
        let mut opened = source.clone();
        opened.options.extend(self.values(&source.secrets));
        opened
    }

    /// A sink with the values of its secrets among its options.
    pub fn opened_sink(&self, sink: &Sink) -> Sink {
        let mut opened = sink.clone();
        opened.options.extend(self.values(&sink.secrets));
        opened
    }

    fn values(&self, secrets: &[(String, ObjectId)]) -> impl Iterator<Item = (String, String)> {
        secrets
            .iter()
            .map(|(key, id)| (key.clone(), self.secret(*id).to_owned()))
    }

    /// The sources, tables and sinks that a secret is an option of.
    pub fn users_of_secret(&self, secret: ObjectId) -> Vec<ObjectId> {
        self.objects
            .values()
            .filter(|o| o.kind() != Kind::Connection && o.depends_on.contains(&secret))
            .map(|o| o.id)
            .collect()
    }
}
