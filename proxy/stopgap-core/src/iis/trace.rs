//! Which steps made a reading? A short list that is copied with it and spelled out only for people.

/// Four passes of at most five steps, and what the bytes that are left are read as.
const ROOM: usize = 21;

/// One step from the wire to a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `%HH` was decoded, in this pass.
    Percent(u8),
    /// `%uHHHH` was decoded.
    PercentU,
    /// `%` and two letters or digits were computed with (P5).
    Arithmetic,
    /// `+` became a space.
    Plus,
    /// `%` without two hexadecimal digits was dropped (P7).
    StrayDropped,
    /// All of it is valid UTF-8.
    Utf8,
    /// Each valid sequence as UTF-8, other bytes as the next step says.
    Utf8Each,
    /// The same, with overlong forms and unchecked continuation bytes (U1).
    Utf8Lax,
    /// Bytes above 0x7F as Latin-1, on a site without a single-byte page.
    Latin1,
    /// U+FF01 to U+FF5E became ASCII.
    FullWidth,
    /// Bytes above 0x7F decoded with this page.
    Page(u16),
    /// Best fit of this page.
    BestFit(u16),
}

impl Step {
    fn name(self) -> String {
        match self {
            Step::Percent(1) => "percent".into(),
            Step::Percent(pass) => format!("percent-{pass}"),
            Step::PercentU => "percent-u".into(),
            Step::Arithmetic => "arithmetic".into(),
            Step::Plus => "plus".into(),
            Step::StrayDropped => "stray-dropped".into(),
            Step::Utf8 => "utf8".into(),
            Step::Utf8Each => "utf8-each".into(),
            Step::Utf8Lax => "utf8-lax".into(),
            Step::Latin1 => "latin1".into(),
            Step::FullWidth => "full-width".into(),
            Step::Page(page) => format!("cp{page}"),
            Step::BestFit(page) => format!("best-fit-{page}"),
        }
    }
}

/// The steps of one reading, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    steps: [Option<Step>; ROOM],
}

impl Trace {
    /// The trace with one more step.
    pub fn with(mut self, step: Step) -> Trace {
        if let Some(free) = self.steps.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(step);
        }
        self
    }

    pub fn names(&self) -> Vec<String> {
        self.steps.iter().flatten().map(|step| step.name()).collect()
    }
}
