//! From path to operation: a tree built once from the table.
//!
//! actix-web tries its routes one after another; with a hundred operations that is most of what a small request costs.

use std::{borrow::Cow, collections::HashMap};

use actix_web::http::Method;
use percent_encoding::percent_decode_str;

/// Where in the table the operations of a path stand, by method.
type Methods = Vec<(Method, usize)>;

/// The tree.
#[derive(Debug, Default)]
pub struct Router {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    fixed: HashMap<&'static str, Node>,
    parameter: Option<Box<(&'static str, Node)>>,
    methods: Methods,
}

/// The values of a path's parameters, in the order of the path.
pub type Values<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// What a path comes to.
#[derive(Debug)]
pub enum Found<'a> {
    /// An operation.
    Operation(usize, Values<'a>),
    /// A path, but not with this method.
    Path(&'a Methods),
    /// Nothing.
    Nothing,
}

impl Router {
    /// Adds an operation.
    pub fn add(&mut self, method: Method, path: &'static str, operation: usize) {
        let mut node = &mut self.root;
        for step in path.split('/').skip(1) {
            node = match step.strip_prefix('{').and_then(|step| step.strip_suffix('}')) {
                Some(name) => &mut node.parameter.get_or_insert_with(|| Box::new((name, Node::default()))).1,
                None => node.fixed.entry(step).or_default(),
            };
        }
        node.methods.push((method, operation));
    }

    /// Finds the operation of a path. A fixed step is tried before a parameter.
    pub fn find<'a>(&'a self, method: &Method, path: &'a str) -> Found<'a> {
        let Some(path) = path.strip_prefix('/') else { return Found::Nothing };
        let mut values = Vec::new();
        let Some(node) = self.root.walk(path, &mut values) else { return Found::Nothing };
        let wanted = if *method == Method::HEAD { &Method::GET } else { method };
        match node.methods.iter().find(|(method, _)| method == wanted) {
            Some((_, operation)) => Found::Operation(*operation, values),
            None => Found::Path(&node.methods),
        }
    }
}

impl Node {
    fn walk<'a>(&'a self, path: &'a str, values: &mut Values<'a>) -> Option<&'a Self> {
        let (step, rest) = path.split_once('/').map_or((path, None), |(step, rest)| (step, Some(rest)));
        let onward = |node: &'a Self, values: &mut Values<'a>| match rest {
            Some(rest) => node.walk(rest, values),
            None => (!node.methods.is_empty()).then_some(node),
        };
        if let Some(found) = self.fixed.get(step).and_then(|node| onward(node, values)) {
            return Some(found);
        }
        let (name, node) = self.parameter.as_deref()?;
        let value = percent_decode_str(step).decode_utf8().ok().filter(|value| !value.is_empty())?;
        let before = values.len();
        values.push((name, value));
        let found = onward(node, values);
        if found.is_none() {
            values.truncate(before);
        }
        found
    }
}

#[cfg(test)]
mod tests;
