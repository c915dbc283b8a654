//! What a name that nothing has was probably meant to be.

/// Of `known`, the name that `wrong` was probably meant to be.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may be wrong: enough for a typo, too little to take `chat` for `crate`.
    let tolerated = (wrong.len() / 3).max(1);
    let length = wrong.chars().count();
    known
        .into_iter()
        // What is that much longer or shorter has as many letters wrong; a long text is not looked at letter by letter.
        .filter(|name| name.chars().count().abs_diff(length) <= tolerated)
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= tolerated)
        .min()
        .map(|(_, name)| name)
}

/// Of `known`, the only name that `wrong` is so close to that a typo is likely: one or two letters differ, or only case and
/// underscores. There is none if two names are as close as that.
pub fn likely_typo<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let is_close = |name: &&str| {
        // Of a short name two letters are half, as in `Get` and `Set`.
        let tolerated = (wrong.len().min(name.len()) / 4).min(2);
        let near = name.len().abs_diff(wrong.len()) <= 2 && distance(wrong, name) <= tolerated;
        near || plain(name) == plain(wrong)
    };
    let mut close = known.into_iter().filter(is_close);
    match (close.next(), close.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// How many letters have to be added, removed or replaced to come from one name to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, likely_typo, nearest};

    #[test]
    fn a_distance_counts_added_removed_and_replaced_letters() {
        for (from, to, expected) in [
            ("say_hello", "say_hello", 0),
            ("say_helo", "say_hello", 1),
            ("say_hellp", "say_hello", 1),
            ("chat", "", 4),
            ("", "chat", 4),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), expected, "{from} -> {to}");
        }
    }

    #[test]
    fn a_typo_finds_its_name_and_an_unrelated_name_finds_none() {
        let known = ["say_hello", "say_hello_to_all", "chat"];
        assert_eq!(nearest("say_helo", known), Some("say_hello"));
        assert_eq!(nearest("unsubscribe", known), None);
        assert_eq!(nearest("chat", ["crate"]), None);
    }

    #[test]
    fn a_likely_typo_has_one_close_name() {
        let known = ["SayHello", "CreateTopic", "ListItems", "ListItemz"];
        for (wrong, expected) in [
            ("SayHelo", Some("SayHello")),
            ("say_hello", Some("SayHello")),
            ("ListItem", None),
            // Another verb is another method.
            ("UpdateTopic", None),
            ("Frobnicate", None),
        ] {
            assert_eq!(likely_typo(wrong, known), expected, "{wrong}");
        }
        assert_eq!(likely_typo("Till", ["Cart"]), None);
    }
}
