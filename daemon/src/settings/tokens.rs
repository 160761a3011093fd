//! The operators' tokens: `alice:TOKEN,TOKEN`.

use secrecy::{ExposeSecret, SecretString};
use sl_store::guess::is_placeholder;

/// What is shorter can be guessed.
const SHORTEST: usize = 16;

/// One operator's token.
#[derive(Clone, Debug)]
pub struct OperatorToken {
    /// Who stands in events and logs: the given name, or `operator-N`.
    pub id: String,
    /// The token itself.
    pub token: SecretString,
}

/// Reads a list of tokens. No message repeats a token.
///
/// # Errors
/// A sentence for people that names the token by its position.
pub fn parse(text: &str) -> Result<Vec<OperatorToken>, String> {
    let mut tokens: Vec<OperatorToken> = Vec::new();
    for (index, item) in text.split(',').map(str::trim).filter(|item| !item.is_empty()).enumerate() {
        let token = one(index + 1, item)?;
        if tokens.iter().any(|other| other.token.expose_secret() == token.token.expose_secret()) {
            return Err(format!("token {} repeats an earlier one", index + 1));
        }
        tokens.push(token);
    }
    Ok(tokens)
}

fn one(position: usize, item: &str) -> Result<OperatorToken, String> {
    let (id, token) = match item.split_once(':') {
        Some((name, token)) => (name.trim().to_owned(), token.trim()),
        None => (format!("operator-{position}"), item),
    };
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
    if id.is_empty() || id.len() > 64 || !id.chars().all(fits) {
        return Err(format!("the name of token {position} has up to 64 letters, digits and -_.@"));
    }
    if token.chars().any(|letter| !letter.is_ascii_graphic()) {
        return Err(format!("token {position} holds a space or a letter that does not travel in a header"));
    }
    if token.is_empty() {
        return Err(format!("token {position} is empty"));
    }
    Ok(OperatorToken { id, token: SecretString::from(token) })
}

impl OperatorToken {
    /// Why it can be guessed, if it can.
    #[must_use]
    pub fn weakness(&self) -> Option<String> {
        let (id, token) = (&self.id, self.token.expose_secret());
        if token.len() < SHORTEST {
            return Some(format!(
                "the token of {id} has {} letters instead of {SHORTEST} or more",
                token.len()
            ));
        }
        is_placeholder(token.as_bytes()).then(|| format!("the token of {id} is a placeholder, not random"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_optional_and_positions_stand_in() {
        let tokens = parse("alice:0123456789abcdef, fedcba9876543210").expect("two tokens");
        let ids: Vec<&str> = tokens.iter().map(|token| token.id.as_str()).collect();
        assert_eq!(ids, ["alice", "operator-2"]);
        assert_eq!(tokens[0].token.expose_secret(), "0123456789abcdef");
    }

    #[test]
    fn a_refused_token_is_never_repeated() {
        for bad in
            ["hunter2:", "a b:0123456789abcdef", "0123456789abcdef,x:0123456789abcdef", "01234567 89abcdef"]
        {
            let message = parse(bad).expect_err(bad);
            assert!(!message.contains("89abcdef"), "{message}");
        }
    }
}
