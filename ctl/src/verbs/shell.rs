//! `completions` and `man`: what a shell and a reader of manuals want to know.

use std::{fs, path::Path};

use clap::{Arg, ArgMatches, Command, builder::EnumValueParser};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::{
    failure::{Failure, Outcome},
    output,
    session::flag,
    tree::PROGRAM,
};

/// The commands.
pub fn commands() -> Vec<Command> {
    let shell =
        Arg::new("shell").value_name("SHELL").required(true).value_parser(EnumValueParser::<Shell>::new());
    let folder = "Write the pages of all commands into this folder";
    vec![
        Command::new("completions").about("Print the completions of a shell").arg(shell),
        Command::new("man")
            .about("Print the manual page of a command")
            .arg(Arg::new("command").value_name("COMMAND").num_args(0..).help("Such as: functions create"))
            .arg(Arg::new("dir").long("dir").value_name("FOLDER").help(folder).conflicts_with("command")),
    ]
}

/// Prints the completions.
pub fn completions(mut program: Command, matches: &ArgMatches) -> Outcome<()> {
    let shell = matches.get_one::<Shell>("shell").copied().unwrap_or(Shell::Bash);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, PROGRAM, &mut script);
    output::write_bytes(&script)
}

/// Prints one page, or writes all of them.
pub fn man(mut program: Command, matches: &ArgMatches) -> Outcome<()> {
    program.build();
    if let Some(folder) = flag(matches, "dir") {
        fs::create_dir_all(&folder).map_err(|error| Failure::usage(format!("{folder}: {error}")))?;
        return write_all(&program, PROGRAM, Path::new(&folder));
    }
    let mut command = &program;
    for word in matches.get_many::<String>("command").into_iter().flatten() {
        let found = command.find_subcommand(word);
        command = found.ok_or_else(|| Failure::usage(format!("no command `{word}`")))?;
    }
    output::write_bytes(&page(command, command.get_display_name().unwrap_or(PROGRAM))?)
}

fn write_all(command: &Command, name: &str, folder: &Path) -> Outcome<()> {
    let path = folder.join(format!("{name}.1"));
    fs::write(&path, page(command, name)?)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    command
        .get_subcommands()
        .try_for_each(|inner| write_all(inner, &format!("{name}-{}", inner.get_name()), folder))
}

fn page(command: &Command, name: &str) -> Outcome<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone().name(name.to_owned())).render(&mut page)?;
    Ok(page)
}
