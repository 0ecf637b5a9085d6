//! "Did you mean …?"

/// The candidate that `word` most likely stands for, or none if nothing is near. Case does not count; a candidate is near
/// when at most a third of its letters differ, or when one contains the other from its start.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    if word.is_empty() {
        return None;
    }
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        let other = candidate.to_lowercase();
        let distance = strsim::damerau_levenshtein(&word, &other);
        let longest = word.chars().count().max(other.chars().count());
        let near = distance <= 1.max(longest / 3)
            || (word.len() >= 4
                && (other.starts_with(&word) || word.starts_with(&other))
                && other.len() >= 4);
        // A word of one or two letters is near to everything, so that only another case of it counts.
        if !near || (longest <= 2 && distance > 0) {
            continue;
        }
        let score = strsim::jaro_winkler(&word, &other);
        if best.is_none_or(|(so_far, _)| score > so_far) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words_are_found() {
        let keys = ["materialized", "schema", "tags", "enabled", "pre-hook"];
        assert_eq!(nearest("materialised", keys), Some("materialized"));
        assert_eq!(nearest("Schema", keys), Some("schema"));
        assert_eq!(nearest("tag", keys), Some("tags"));
        assert_eq!(nearest("pre_hook", keys), Some("pre-hook"));
    }

    #[test]
    fn far_words_are_not() {
        let keys = ["materialized", "schema", "tags"];
        assert_eq!(nearest("owner", keys), None);
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest("", keys), None);
    }
}
