//! Nouns with their numbers.

use std::fmt::Display;

/// `1 model`, `2 models`, `2 tables with connectors`
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    if count == N::from(1) {
        format!("1 {noun}")
    } else {
        format!("{count} {}", plural(noun))
    }
}

fn plural(noun: &str) -> String {
    if let Some((noun, of)) = noun.split_once(" with ") {
        return format!("{} with {}", plural(noun), plural(of));
    }
    let is_long = ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end));
    if is_long {
        return format!("{noun}es");
    }
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_the_rest_are_many() {
        for (count, noun, shown) in [
            (0, "error", "0 errors"),
            (1, "seed", "1 seed"),
            (2, "seed", "2 seeds"),
            (1, "index", "1 index"),
            (3, "index", "3 indexes"),
            (2, "batch", "2 batches"),
            (2, "table with connector", "2 tables with connectors"),
            (2, "query", "2 queries"),
            (2, "day", "2 days"),
        ] {
            assert_eq!(counted::<usize>(count, noun), shown);
        }
    }
}
