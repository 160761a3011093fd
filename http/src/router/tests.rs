use super::*;

fn router() -> Router {
    let mut router = Router::default();
    for (position, (method, path)) in [
        (Method::GET, "/"),
        (Method::GET, "/a/{x}"),
        (Method::DELETE, "/a/{x}"),
        (Method::GET, "/a/{x}/b/{y}"),
        (Method::GET, "/a/fixed/c"),
    ]
    .into_iter()
    .enumerate()
    {
        router.add(method, path, position);
    }
    router
}

fn found(method: &Method, path: &str) -> Option<(usize, String)> {
    match router().find(method, path) {
        Found::Operation(operation, values) => {
            let values: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
            Some((operation, values.join(" ")))
        }
        Found::Path(_) | Found::Nothing => None,
    }
}

#[test]
fn paths_find_their_operation_and_values() {
    for (method, path, operation, values) in [
        (Method::GET, "/", 0, ""),
        (Method::GET, "/a/1", 1, "x=1"),
        (Method::HEAD, "/a/1", 1, "x=1"),
        (Method::DELETE, "/a/1", 2, "x=1"),
        (Method::GET, "/a/a%2Fb/b/2", 3, "x=a/b y=2"),
        (Method::GET, "/a/fixed", 1, "x=fixed"),
        (Method::GET, "/a/fixed/c", 4, ""),
        (Method::GET, "/a/fixed/b/2", 3, "x=fixed y=2"),
    ] {
        assert_eq!(found(&method, path), Some((operation, values.to_owned())), "{method} {path}");
    }
}

#[test]
fn the_rest_finds_nothing() {
    for path in ["", "a/1", "/a", "/a/", "/a//b/2", "/a/1/", "/a/1/b", "/a/%ff", "/A/1", "/a/1/b/2/c"] {
        assert!(matches!(router().find(&Method::GET, path), Found::Nothing), "{path}");
    }
    assert!(matches!(router().find(&Method::POST, "/a/1"), Found::Path(methods) if methods.len() == 2));
}
