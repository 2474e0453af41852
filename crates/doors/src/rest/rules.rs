//! The table of routes: where each is, who may call it, and whether web pages of any origin may.
//! Invariant: there is no way to serve something without saying so.
//! Next: `door.rs`, which looks a request's route up; `auth.rs`, which lets callers in.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::MatchedPath;
use axum::routing::{MethodRouter, any};

use crate::rest::auth::Who;
use crate::rest::error::ApiError;

/// What holds for a route, by whichever method it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub who: Who,
    /// Web pages of any origin may call it: the client SDK does, from the pages of those who build on it. What is for
    /// servers is for no page, and what only the page served here asks is for its own origin.
    pub pages: bool,
    /// Keys that may only read may call it by any method.
    pub reads: bool,
}

impl Rule {
    pub const fn of(who: Who) -> Self {
        Self { who, pages: false, reads: false }
    }

    pub const fn also_for_pages(who: Who) -> Self {
        Self { who, pages: true, reads: false }
    }
}

/// The rules of all routes, by the route's template.
#[derive(Debug, Clone, Default)]
pub struct Rules(Arc<HashMap<String, Rule>>);

impl Rules {
    /// What holds where no route matched: there is nothing but the files of the page.
    const NOWHERE: Rule = Rule::of(Who::Anyone);

    pub fn of(&self, route: Option<&MatchedPath>) -> Rule {
        // A route without a rule would be open to all; `Table` makes none, and if there were one nobody could call it.
        route.map_or(Self::NOWHERE, |route| self.0.get(route.as_str()).copied().unwrap_or(Rule::of(Who::Account)))
    }

    /// Every route with its rule.
    pub fn all(&self) -> Vec<(String, Rule)> {
        self.0.iter().map(|(path, rule)| (path.clone(), *rule)).collect()
    }
}

/// Routes being put together.
pub struct Table<S> {
    router: Router<S>,
    rules: HashMap<String, Rule>,
}

impl<S: Clone + Send + Sync + 'static> Table<S> {
    pub fn new() -> Self {
        Self { router: Router::new(), rules: HashMap::new() }
    }

    /// Adds a route. Plain routes instead of nested routers: nesting rewrites the address of every request.
    pub fn add(&mut self, path: &str, rule: Rule, route: MethodRouter<S>) {
        self.rules.insert(path.to_owned(), rule);
        self.router = std::mem::take(&mut self.router).route(path, route);
    }

    /// Answers whatever else is asked under a prefix: that there is nothing, but not to strangers.
    pub fn close(&mut self, prefix: &str, rule: Rule) {
        for rest in ["", "/", "/{*rest}"] {
            self.add(&format!("{prefix}{rest}"), rule, any(async || ApiError::no_route()));
        }
    }

    pub fn done(self) -> (Router<S>, Rules) {
        (self.router, Rules(Arc::new(self.rules)))
    }
}
