//! DROP: what goes along, and what stands in the way.

use rwt_wire::{SqlError, SqlState};

use super::{Catalog, Kind, Object, ObjectId};

impl Catalog {
    /// The objects that stop a drop of this one, oldest first. Indexes and the parts of an Iceberg table go along
    /// silently, and so do the sinks that write into a dropped table.
    fn blockers(&self, id: ObjectId) -> Vec<ObjectId> {
        self.objects
            .values()
            .filter(|o| self.reads(o, id) && o.kind() != Kind::Index && o.part_of != Some(id))
            .map(|o| o.id)
            .collect()
    }

    /// True if an object reads another one, directly or through plain views: those are expanded into what reads them.
    fn reads(&self, object: &Object, id: ObjectId) -> bool {
        object.depends_on.iter().any(|read| {
            *read == id
                || self
                    .get(*read)
                    .is_some_and(|via| via.kind() == Kind::View && self.reads(via, id))
        })
    }

    /// What goes along with an object whether CASCADE is said or not.
    fn companions(&self, id: ObjectId) -> Vec<ObjectId> {
        self.objects
            .values()
            .filter(|o| {
                o.part_of == Some(id)
                    || (o.kind() == Kind::Index && o.depends_on.contains(&id))
                    || o.sink()
                        .is_some_and(|s| s.into.as_ref().is_some_and(|(into, _)| *into == id))
            })
            .map(|o| o.id)
            .collect()
    }

    /// Everything that a drop of this object removes, the object included; refused while others depend on it and
    /// CASCADE is not said.
    pub fn removal(&self, id: ObjectId, cascade: bool) -> Result<Vec<ObjectId>, SqlError> {
        let mut gone = vec![id];
        let mut at = 0;
        while at < gone.len() {
            let current = gone[at];
            at += 1;
            for companion in self.companions(current) {
                if !gone.contains(&companion) {
                    gone.push(companion);
                }
            }
            let blockers: Vec<ObjectId> = self
                .blockers(current)
                .into_iter()
                .filter(|b| !gone.contains(b))
                .collect();
            if blockers.is_empty() {
                continue;
            }
            if !cascade {
                return Err(self.in_use(current, &blockers));
            }
            gone.extend(blockers);
        }
        Ok(gone)
    }

    fn in_use(&self, id: ObjectId, blockers: &[ObjectId]) -> SqlError {
        let kind = self.get(id).map_or(Kind::Table, |o| o.kind());
        let (noun, hint) = match kind {
            Kind::MaterializedView | Kind::Table => ("table", true),
            Kind::Connection | Kind::Secret => (kind.noun(), false),
            _ => (kind.noun(), true),
        };
        let detail: Vec<String> = blockers
            .iter()
            .filter_map(|b| self.get(*b))
            .map(|o| format!("{} {} depends on it", o.kind().noun(), self.qualified(o)))
            .collect();
        let hint = if hint {
            "HINT:  Use DROP ... CASCADE to drop the dependent objects too."
        } else {
            "HINT: DROP the dependent objects first."
        };
        SqlError::new(
            SqlState::Internal,
            format!(
                "Permission denied: PermissionDenied: {noun} used by {} other objects. \nDETAIL: {}\n{hint}",
                blockers.len(),
                detail.join("\n")
            ),
        )
    }

    /// Removes objects and what was granted on them.
    pub fn remove(&mut self, ids: &[ObjectId]) {
        self.objects.retain(|id, _| !ids.contains(id));
        self.grants.retain(|g| !ids.contains(&g.object));
    }

    /// Removes an empty schema and what was granted on it and in it.
    pub fn remove_schema(&mut self, schema: ObjectId) {
        self.schemas.remove(&schema);
        self.grants.retain(|g| g.object != schema);
        self.default_grants.retain(|g| g.schema != Some(schema));
    }

    /// Everything in a schema, refused without CASCADE unless it is empty.
    pub fn schema_removal(
        &self,
        schema: ObjectId,
        cascade: bool,
    ) -> Result<Vec<ObjectId>, SqlError> {
        let mut gone = Vec::new();
        for object in self.objects.values().filter(|o| o.schema == schema) {
            if !cascade {
                return Err(SqlError::internal(
                    "Permission denied: PermissionDenied: schema is not empty",
                ));
            }
            for id in self.removal(object.id, true)? {
                if !gone.contains(&id) {
                    gone.push(id);
                }
            }
        }
        Ok(gone)
    }
}
