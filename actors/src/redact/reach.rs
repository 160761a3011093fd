//! How far a text goes on as a form does.

/// Tells how much of a form stands at ascending places of a text; what it saw at one it need not compare again at the
/// next (the Z-algorithm of Main and Lorentz), so that a form that repeats itself costs no more than another.
pub(super) struct Reach<'a> {
    form: &'a [u8],
    /// How much of the form stands in the form itself, from each of its bytes on.
    own: Vec<u32>,
    start: usize,
    end: usize,
}

impl<'a> Reach<'a> {
    pub fn new(form: &'a [u8]) -> Self {
        let mut own = vec![0; form.len()];
        let (mut start, mut end) = (0, 0);
        for at in 1..form.len() {
            own[at] = short(advance(form, &own, form, (&mut start, &mut end), at));
        }
        Self { form, own, start: 0, end: 0 }
    }

    /// How many bytes of the form stand at `at`, which lies behind every place that was asked for before.
    pub fn from(&mut self, text: &[u8], at: usize) -> usize {
        advance(self.form, &self.own, text, (&mut self.start, &mut self.end), at)
    }
}

fn advance(form: &[u8], own: &[u32], text: &[u8], seen: (&mut usize, &mut usize), at: usize) -> usize {
    let (start, end) = seen;
    let known = if at < *end { own[at - *start] as usize } else { 0 };
    if at + known < *end {
        return known;
    }
    let from = at.max(*end);
    let more = text[from..].iter().zip(&form[from - at..]).take_while(|(a, b)| a == b).count();
    (*start, *end) = (at, from + more);
    *end - at
}

fn short(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::Reach;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_common_beginning(form in "[ab]{1,12}", text in "[ab]{0,60}", step in 1_usize..4) {
            let (form, text) = (form.as_bytes(), text.as_bytes());
            let mut reach = Reach::new(form);
            for at in (0..text.len()).step_by(step) {
                let plain = text[at..].iter().zip(form).take_while(|(a, b)| a == b).count();
                prop_assert_eq!(reach.from(text, at), plain);
            }
        }
    }
}
