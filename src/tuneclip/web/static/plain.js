// Views that only show something: the map of keys, and commands that can be copied.

import { command } from "./element.js";
import { map_keys } from "./keys.js";

document.querySelectorAll("main pre").forEach((block) => block.replaceWith(command(block.textContent)));
map_keys([["/", "to the search", () => location.assign("/")]]);
