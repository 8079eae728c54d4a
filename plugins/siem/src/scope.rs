//! Where a query may read.

/// Indexes or tables by their exact names. There is no pattern in it: what a pattern would match is the upstream's to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope(Vec<String>);

impl Scope {
    /// Of these names, each of them once, in the order given.
    pub fn new<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        let mut all: Vec<String> = Vec::new();
        for name in names.into_iter().map(Into::into) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        Self(all)
    }

    /// Whether this very name is in it: byte for byte, as upstreams compare.
    pub fn holds(&self, name: &str) -> bool {
        self.0.iter().any(|held| held == name)
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        let scope = Scope::new(["web", "auth", "web"]);
        assert_eq!(scope.names(), ["web", "auth"]);
        assert!(scope.holds("web") && scope.holds("auth"));
        for other in ["", "we", "web ", "Web", "web*", "*", "web,auth", "wеb"] {
            assert!(!scope.holds(other), "{other:?}");
        }
        assert!(!Scope::default().holds(""));
    }
}
