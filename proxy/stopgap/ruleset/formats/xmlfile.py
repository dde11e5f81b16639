"""Which elements does an XML file have, each with its line, and is there nothing in it that is an attack?

The parser is defusedxml's: a document type, an entity or a reference outside is refused, not expanded.
"""

import io
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, InputSource, Locator

import defusedxml.sax
from defusedxml.common import DefusedXmlException

from stopgap.ruleset.formats.source import Source

DEEPEST = 64


class Element:
    """One element: its name, its attributes, its line, what is in it."""

    def __init__(self, name: str, attributes: dict[str, str], line: int) -> None:
        self.name, self.attributes, self.line = name, attributes, line
        self.children: list[Element] = []

    def named(self, name: str) -> "list[Element]":
        """The children of this name."""
        return [child for child in self.children if child.name == name]


def parsed(source: Source) -> Element:
    """The root element of a file. Raises `FormatError`."""
    tree = _Tree(source)
    parser = defusedxml.sax.make_parser()
    parser.forbid_dtd = True
    parser.setContentHandler(tree)
    stream = InputSource()
    stream.setCharacterStream(io.StringIO(source.text.removeprefix("\ufeff")))
    try:
        parser.parse(stream)
    except SAXParseException as error:
        raise source.wrong(error.getLineNumber() or 1, f"is not XML: {error.getMessage()}") from None
    except DefusedXmlException:
        line = tree.line()
        raise source.wrong(
            line, "has a document type or an entity; no configuration of IIS needs one"
        ) from None
    return tree.root.children[0]


class _Tree(ContentHandler):
    """Builds the elements as the parser meets them."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source
        self.root = Element("", {}, 1)
        self.open = [self.root]
        self.locator: Locator | None = None

    def setDocumentLocator(self, locator: Locator) -> None:
        self.locator = locator

    def line(self) -> int:
        return (self.locator.getLineNumber() if self.locator else None) or 1

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        element = Element(name, dict(attrs.items()), self.line())
        self.open[-1].children.append(element)
        self.open.append(element)
        if len(self.open) > DEEPEST:
            raise self.source.wrong(self.line(), f"<{name}>: is nested too deeply")

    def endElement(self, name: str) -> None:
        self.open.pop()
