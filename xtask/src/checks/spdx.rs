//! Licence expressions: whether a list of licences is enough for one.

/// Whether `expression` can be satisfied with licences of `allowed` alone.
///
/// `/` means `OR`, as in old manifests. An expression that can't be read is not allowed.
pub(crate) fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = Words { words: spaced.split_whitespace().collect(), at: 0, allowed };
    words.any() == Some(true) && words.at == words.words.len()
}

/// A reader of an expression; each method is one rule of its grammar and gives none where the rule does not fit.
struct Words<'a> {
    words: Vec<&'a str>,
    at: usize,
    allowed: &'a [&'a str],
}

impl Words<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut is_enough = self.all()?;
        while self.skip("OR") {
            is_enough |= self.all()?;
        }
        Some(is_enough)
    }

    fn all(&mut self) -> Option<bool> {
        let mut is_enough = self.one()?;
        while self.skip("AND") {
            is_enough &= self.one()?;
        }
        Some(is_enough)
    }

    fn one(&mut self) -> Option<bool> {
        if self.skip("(") {
            let is_enough = self.any()?;
            return self.skip(")").then_some(is_enough);
        }
        let mut licence = self.word()?.to_owned();
        if self.skip("WITH") {
            licence = format!("{licence} WITH {}", self.word()?);
        }
        // `+` is this version or a later one, so this version will do.
        Some(self.allowed.contains(&licence.strip_suffix('+').unwrap_or(&licence)))
    }

    fn word(&mut self) -> Option<&str> {
        let word = self.words.get(self.at).filter(|word| !["OR", "AND", "WITH", "(", ")"].contains(word))?;
        self.at += 1;
        Some(word)
    }

    fn skip(&mut self, word: &str) -> bool {
        let is_there = self.words.get(self.at) == Some(&word);
        self.at += usize::from(is_there);
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    fn check(expression: &str, expected: bool) {
        assert_eq!(is_allowed(expression, &["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]), expected, "{expression}");
    }

    #[test]
    fn either_of_an_or_is_enough_and_both_of_an_and_are_needed() {
        check("MIT", true);
        check("GPL-3.0 OR MIT", true);
        check("GPL-3.0/MIT", true);
        check("MIT AND GPL-3.0", false);
        check("MIT AND ISC", true);
        check("GPL-3.0 OR MIT AND ISC", true);
        check("(GPL-3.0 OR MIT) AND GPL-3.0", false);
        check("(GPL-3.0 OR MIT) AND ISC", true);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("Apache-2.0", false);
        check("ISC+", true);
        check("GPL-3.0+", false);
    }

    #[test]
    fn what_can_not_be_read_is_not_allowed() {
        for expression in ["", "MIT OR", "MIT ISC", "(MIT", "MIT)", "OR MIT", "MIT WITH"] {
            check(expression, false);
        }
    }
}
