//! What a person sees: the only code that prints. Results go to stdout; notes, warnings, errors and progress to stderr.

mod build_lines;
mod check_line;
mod diagnostic;
mod event;
mod funnel_view;
mod message;
mod picture;
mod printer;
mod progress;
mod run_line;
mod table;
mod test_line;

pub use build_lines::BuildLines;
pub(crate) use check_line::check_line;
pub(crate) use event::thread_name;
pub use event::{Event, EventFormat, EventLevel, EventLog};
pub(crate) use funnel_view::ago;
pub use funnel_view::{funnel_csv, funnel_text};
pub(crate) use message::Message;
pub use picture::Picture;
pub(crate) use printer::printable;
pub use printer::{ColorChoice, Printer};
pub use progress::RunProgress;
pub use run_line::run_line;
pub use table::{Align, Table};
pub use test_line::{test_detail, test_line};
