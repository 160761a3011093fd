//! The program under test.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::server::Server;

/// The token that every run has and that none may show.
pub const TOKEN: &str = "slk_0123456789abcdef_the_token";

/// The program with an environment of its own.
pub struct Program {
    home: TempDir,
    binary: PathBuf,
    variables: Vec<(String, String)>,
    input: String,
}

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Program {
    /// The program, pointed at a server, with a token and an account.
    pub fn of(server: &Server) -> Self {
        Self::alone()
            .with("SERVICE_LAYER_ADDR", &format!("http://{}", server.addr))
            .with("SERVICE_LAYER_TOKEN", TOKEN)
            .with("SERVICE_LAYER_ACCOUNT", "acc")
    }

    /// The program without any of these.
    pub fn alone() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/openapi.json");
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_slctl"));
        Self { home, binary, variables: Vec::new(), input: String::new() }
            .with("SERVICE_LAYER_OPENAPI", document)
    }

    /// With a variable in its environment; an empty one is unset.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this on standard input.
    pub fn input(mut self, text: &str) -> Self {
        text.clone_into(&mut self.input);
        self
    }

    /// Without the other programs that are built beside it.
    pub fn apart(mut self) -> Self {
        let copy = self.path("slctl");
        std::fs::copy(&self.binary, &copy).expect("a copy of the program");
        self.binary = copy;
        self
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file into its folder and gives its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path.to_string_lossy().into_owned()
    }

    /// The command, ready to start.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .env_clear()
            .env("XDG_CONFIG_HOME", self.home.path())
            .current_dir(self.home.path());
        command.envs(self.variables.iter().filter(|(_, value)| !value.is_empty()).cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Run {
        let mut child = self.command(arguments).spawn().expect("the program starts");
        // One that does not read its input may be gone by now.
        let _ = child.stdin.take().expect("piped").write_all(self.input.as_bytes());
        let ended = child.wait_with_output().expect("the program ends");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let run =
            Run { code: ended.status.code().unwrap_or(-1), out: text(ended.stdout), err: text(ended.stderr) };
        assert!(!run.out.contains(TOKEN) && !run.err.contains(TOKEN), "the token is shown: {run:?}");
        run
    }

    /// Runs it; it must end well. Gives standard output.
    pub fn out(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {run:?}");
        run.out
    }

    /// Runs it; it must end with this code. Gives standard error.
    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {run:?}");
        run.err
    }
}
