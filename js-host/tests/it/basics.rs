use crate::client::Host;

#[test]
fn an_expression_and_a_module_run() {
    let mut host = Host::spawn();
    assert_eq!(host.run("(params, secrets) => ({ a: 1 })").output(), r#"{"a":1}"#);
    assert_eq!(
        host.run("export default async (params, context) => context.functionId;").output(),
        r#"{"result":"function"}"#
    );
}
