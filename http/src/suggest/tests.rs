use proptest::prelude::*;

use super::*;

#[test]
fn slips_find_the_word_that_was_meant() {
    let known = ["name", "source", "function_id", "metadata"];
    for (slip, meant) in [
        ("nmae", Some("name")),
        ("functionId", Some("function_id")),
        ("meta-data", Some("metadata")),
        ("sourc", Some("source")),
        ("colour", None),
    ] {
        assert_eq!(nearest(slip, known), meant, "{slip}");
    }
}

proptest! {
    #[test]
    fn a_known_word_is_nearest_to_itself_and_any_input_is_survived(word in "[a-z]{3,12}", noise in ".{0,300}") {
        prop_assert_eq!(nearest(&word, [word.as_str()]), Some(word.as_str()));
        let _whatever = nearest(&noise, [word.as_str()]);
    }
}
