"""The messages of the compiler: what the language leaves out, and what to write instead.

Data: one message per construct and name. Must not know how the tree is walked.
"""

from __future__ import annotations

import builtins

from sandbox.contract.surface import CONTINUE, ENTRY
from sandbox.reach import reachable

ENTRIES = frozenset({ENTRY, CONTINUE})
JAVASCRIPT_ENTRIES = {"onExecutePostLogin": ENTRY, "onContinuePostLogin": CONTINUE}

_ASYNC = "an action runs from start to end without waiting"
_CLASS_PATTERN = (
    "a class pattern is not available, because it reads attributes without a guard: write `case x if isinstance(x, "
    "str)`, or if/elif"
)

# AST class name -> message. A node type that is neither here nor allowed (a newer Python's) gets UNKNOWN_NODE.
NODES = {
    "AsyncFunctionDef": f"`async def` is not available, because {_ASYNC}: write a plain `def`",
    "AsyncFor": f"`async for` is not available, because {_ASYNC}: write a plain `for`",
    "AsyncWith": f"`async with` is not available, because {_ASYNC}: call what you need directly",
    "Await": f"`await` is not available, because {_ASYNC}: call the function without it",
    "Interpolation": "t-strings are not available, because a template keeps hold of its values: use an f-string",
    "MatMult": "the operator `@` is not available, because no type of an action has it: write the sum of products",
    "MatchClass": _CLASS_PATTERN,
    "TemplateStr": "t-strings are not available, because a template keeps hold of its values: use an f-string",
    "TryStar": "`except*` is not available, because exception groups hand out hidden exceptions: use `except`",
    "TypeAlias": "`type X = ...` is not available, because types are not evaluated: assign `X = ...` or leave it out",
}

UNKNOWN_NODE = "`{name}` syntax is not available, because it has not been reviewed: write it with older Python syntax"

_DYNAMIC = "an action's code is checked before it runs: write the code itself"
_INTROSPECTION = "the inside of the runtime is closed: keep what you need in variables or a dict"
_NO_IO = "an action has no files, terminal or network: use event, event.secrets and api"
_ADDRESS = "it tells memory addresses: compare with `is` or `==`, or use hashlib for a digest"
_CLASSES_ONLY = "an action has no classes with methods: use plain functions"
_UNCATCHABLE = "it would catch the interrupt that ends an action which takes too long: use Exception"
_NOT_RAISED = "it would end the process and not the action: raise ValueError or RuntimeError, or call api.access.deny"

# Builtin names that never exist in an action, unless it defines them itself.
NAMES = {
    **dict.fromkeys(("eval", "exec", "compile"), _DYNAMIC),
    **dict.fromkeys(("globals", "locals", "dir", "help", "breakpoint", "memoryview"), _INTROSPECTION),
    **dict.fromkeys(("open", "input"), _NO_IO),
    **dict.fromkeys(("id", "hash"), _ADDRESS),
    **dict.fromkeys(("super", "classmethod", "staticmethod", "property"), _CLASSES_ONLY),
    **dict.fromkeys(("BaseException", "BaseExceptionGroup"), _UNCATCHABLE),
    **dict.fromkeys(("GeneratorExit", "KeyboardInterrupt", "SystemExit"), _NOT_RAISED),
    **dict.fromkeys(("exit", "quit"), "it would end the process and not the action: use `return`"),
    "ExceptionGroup": "exception groups hand out hidden exceptions: raise a single exception",
    "StopAsyncIteration": f"{_ASYNC}: use StopIteration",
    "aiter": f"{_ASYNC}: use iter",
    "anext": f"{_ASYNC}: use next",
    "delattr": "objects keep their shape: set the attribute to None, or use a dict",
    "bytearray": "bytes that change are not needed: use bytes, or a list of ints and bytes(list)",
    "NotImplemented": "it belongs to the methods of classes: raise NotImplementedError",
    "SyntaxError": "it belongs to the parser: raise ValueError",
}
_FUNCTIONS = ", ".join(sorted(name for name in reachable.BUILTINS if name[:1].islower()))
_OTHER = f"it is not among what an action can reach, which is {_FUNCTIONS}"
_KNOWN = {*NAMES, *reachable.BUILTINS, "None", "True", "False"}
NAMES |= {name: _OTHER for name in vars(builtins) if name[:1] != "_" and name not in _KNOWN}

NAME = "the name {name!r} is not available, because {why}"

UNDEFINED = "the name {name!r} is not available, because nothing defines it: {instead}"
DUNDER = (
    "the name {name!r} is not available, because names that begin with two underscores, or begin and end with one, "
    "belong to Python and to the runtime: choose another name"
)
FILE = "`__file__` is not available, because an action is no file and reads none: put the data into the source"
ATTRIBUTE = (
    "the attribute {name!r} is not available, because attributes that begin with an underscore are private: use the "
    "public names of the object"
)
KNOWN_ATTRIBUTE = (
    "the attribute {name!r} is not available, because attributes that begin with an underscore are private: {instead}"
)
INSTEAD_OF_ATTRIBUTE = {
    "__class__": "use type(x) or isinstance(x, ...)",
    "__dict__": "keep the values in a dict",
    "__len__": "use len(x)",
    "__repr__": "use repr(x)",
    "__str__": "use str(x)",
    "__traceback__": "str(x) says what happened, traceback.format_exc() where",
}
INSPECT = "the attribute {name!r} is not available, because it leads into the interpreter: keep data in variables"
KEYWORD = "the keyword {name!r} is not available, because names that begin with an underscore are private: rename it"

DECORATOR = (
    "`{name}` cannot have a decorator, because it must stay the function that was checked: decorate a helper, and call "
    "that"
)
TYPE_PARAMETERS = "type parameters are not available, because types are not evaluated: leave the brackets out"
ASYNC_COMPREHENSION = f"`async for` is not available, because {_ASYNC}: write a plain `for`"

BARE_EXCEPT = "a bare `except:` must be the last one, because it catches what the others are for: move it to the end"
EXCEPT_TYPE = (
    "after `except` only names are available, because code there would run while the action is being interrupted: "
    "name the exception class, or a tuple of names"
)
FINALLY_EXIT = (
    "`{statement}` is not available in a `finally` block, because it would swallow the exception on its way, the "
    "interrupt of a slow action too: move it behind the block"
)
DELETE_ATTRIBUTE = "`del` of an attribute is not available, because objects keep their shape: set it to None instead"
EVENT_WRITE = (
    "`{name}` is read-only, because what happened cannot be changed: record what you want by the api, for instance "
    "api.user.set_user_metadata(name, value)"
)
API_WRITE = "`{name}` cannot be changed, because it records calls: call its functions, api.multifactor.enable('any')"
STARRED_TARGET = (
    "a starred target with targets inside is not available, because it would be unpacked without a guard: star a plain "
    "name and unpack it afterwards"
)

YIELD_OUTSIDE = "outside of a function, because there is nothing to give a value to: move it into a helper"
YIELD_LAMBDA = "in a lambda, because nothing shows that it is a generator: write a `def`"
YIELD_ENTRY = (
    "in `{name}`, because that would make a generator of it, whose body never runs: yield in a helper and walk it here"
)
YIELD_FINALLY = (
    "inside of a `try` that has a `finally`, because that would run when the generator is given up, perhaps after the "
    "login: put the `try` around the loop that walks it"
)
YIELD_WITH = (
    "inside of a `with`, because that would end when the generator is given up, perhaps after the login: put the "
    "`with` around the loop that walks it"
)
YIELD = "`yield` is not available {why}"

CLASS_NAMES = (
    "of classes an action can have exceptions, Enum, NamedTuple, TypedDict and dataclasses: for anything else use a "
    "dict, functions or types.SimpleNamespace"
)
CLASS_BASE = (
    "a class of this kind is not available, because a type's methods run inside the runtime's own code; " + CLASS_NAMES
)
CLASS_MEMBER = (
    "this is not available in a class, because a type's methods run inside the runtime's own code: have only fields "
    "and constants there, and write functions outside; " + CLASS_NAMES
)
WITH_TARGET = (
    "after `as` only a name is available, because it would be unpacked without a guard: unpack it in the block"
)
PATTERN_NAME = "the name {name!r} is bound twice in one pattern, so that one value would be lost: rename one"

STAR_IMPORT = "`import *` is not available, because the names it binds cannot be checked: import the names you use"
RELATIVE_IMPORT = (
    "relative imports are not available, because an action is a single module: import by full name, a shared file by "
    "`from lib import NAME`"
)
NO_SHARED = "there is no file {file}: put what actions share into the folder `lib` of the tenant, beside `actions`"
NO_SHARED_FILE = "there is no file {file}"
NO_SHARED_NAME = "{file} has no {name!r}"
PACKAGE_ALONE = "`import lib` gives nothing, because each shared file is imported by name: write `from lib import NAME`"
IMPORTS_ITSELF = "{file} imports itself: remove the import, its own names are there without it"
IMPORTS_IN_A_CIRCLE = "shared files import each other in a circle, {way}: move what both need into a file of its own"
FUTURE_IMPORT = (
    "{name!r} is not available, because `annotations` is all that an action can need of `__future__`: leave it out"
)
PRIVATE_IMPORT = "{name!r} cannot be imported, because names with a leading underscore are private: use public names"

ENTRY_MISSING = (
    f"the action defines no `{ENTRY}`, so it would decide nothing: write `def {ENTRY}(event, api):` at the top level"
)
ENTRY_JAVASCRIPT = "`{name}` is never called, because that is its name in JavaScript: write `def {python}(event, api):`"
ENTRY_TWICE = "`{name}` is defined more than once, so it is unclear which one decides: keep one"
ENTRY_NESTED = (
    "`{name}` must be defined at the top level, outside of any `if`, `try`, loop or function, because it has to be "
    "there at every login: move the condition into the function"
)
ENTRY_ASYNC = "`{name}` must be a plain `def`, because " + f"{_ASYNC}: leave `async` out"
ENTRY_PARAMETERS = (
    "`{name}` must take exactly two positional parameters without defaults, because it is called with the event and "
    "the api: write `def {name}(event, api):`"
)
ENTRY_REBOUND = "`{name}` cannot be bound again, because it must stay the function that was checked: use another name"

INTEGER_SIZE = "the integer is too large for source code ({bits} bits, at most {limit}): compute it, or use text"
NODES_MAX = "the action is too large (more than {limit} syntax nodes): split it into several actions"
SLICE_IN_KEY = (
    "a slice inside a tuple is not available, because no type of an action takes one: index one after the other"
)
FRAME_MAX = (
    "the function {name!r} is too large (more than {limit} variables and values at once): split it, or use a dict"
)
DEPTH_MAX = "the code is nested too deeply (more than {limit} levels): use variables or helper functions in between"

SOURCE_TYPE = "the source must be text, not {kind}"
SOURCE_SIZE = "the source is too large ({size} bytes, at most {limit}): split it into several actions"
SURROGATE = (
    "the source holds U+{code:04X}, half of a surrogate pair, which is not text: write it as an escape, '\\u{code:04x}'"
)
CONTROL = (
    "the source holds the control character U+{code:04X}, which cannot be seen: write it as an escape, '\\x{code:02x}'"
)
INVISIBLE = (
    "the source holds U+{code:04X}, which makes the code read differently from what it does: write it as an escape, "
    "'\\u{code:04x}'"
)
MORE_FAULTS = "{count} more faults from here on: correct those above first"
TOO_COMPLEX = "the source is too complex for the parser: use variables or helper functions in between"
