package org.cliffwatch.tasks.jinja;

import java.util.List;

/** Python's tuple, which equals no list. */
record Tuple(List<Object> elements) {}
