//! The migrations are part of the library: a new file must rebuild it.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
