//! "Did you mean": the known name nearest to an unknown one.

/// The known name that a person may have meant; none where nothing is near.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let unknown = folded(unknown);
    let most = 1 + unknown.chars().count() / 4;
    known
        .into_iter()
        .map(|name| (distance(&unknown, &folded(name), most), name))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, name)| name)
}

/// `functionId`, `function-id` and `function_id` are the same word to a person.
fn folded(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(64).map(|c| c.to_ascii_lowercase()).collect()
}

/// Edits between two words (insertions, deletions, substitutions, swaps of neighbours); more than `most` is just more.
fn distance(left: &str, right: &str, most: usize) -> usize {
    if left.len().abs_diff(right.len()) > most {
        return most + 1;
    }
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, from) in left.iter().enumerate() {
        let mut this = vec![row + 1];
        for (column, to) in right.iter().enumerate() {
            let substituted = last[column] + usize::from(from != to);
            let mut fewest = substituted.min(last[column + 1] + 1).min(this[column] + 1);
            let swapped = row > 0 && column > 0 && *from == right[column - 1] && left[row - 1] == *to;
            if swapped && from != to {
                fewest = fewest.min(before[column - 1] + 1);
            }
            this.push(fewest);
        }
        before = std::mem::replace(&mut last, this);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests;
