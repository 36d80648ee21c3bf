// Moves through the frames by the keyboard: arrows go to the caller, a callee and the neighbours, Enter zooms, Escape shows all, / searches.
(function () {
    var at = null;
    function box(group) {
        var rect = group.querySelector("rect");
        var number = function (name) { return parseFloat(rect.getAttribute(name)); };
        return { x: number("fg:x"), w: number("fg:w"), y: number("y") };
    }
    function groups() {
        return Array.prototype.filter.call(frames.children, function (group) { return group.querySelector("rect"); });
    }
    function go(group) {
        if (!group) return;
        if (at) at.querySelector("rect").removeAttribute("stroke");
        at = group;
        at.querySelector("rect").setAttribute("stroke", "#000000");
        details.nodeValue = g_to_text(at);
    }
    // The nearest row in a direction that overlaps, and in it the widest frame.
    function row(direction) {
        var own = box(at), best = null, found = null;
        groups().forEach(function (group) {
            var other = box(group), away = (other.y - own.y) * direction;
            if (away <= 0 || other.x >= own.x + own.w || other.x + other.w <= own.x) return;
            if (!best || away < best.away || (away === best.away && other.w > best.w)) {
                best = { away: away, w: other.w };
                found = group;
            }
        });
        return found;
    }
    function neighbour(direction) {
        var own = box(at), best = Infinity, found = null;
        groups().forEach(function (group) {
            var other = box(group), away = (other.x - own.x) * direction;
            if (other.y === own.y && away > 0 && away < best) {
                best = away;
                found = group;
            }
        });
        return found;
    }
    function root() {
        return groups().reduce(function (one, other) { return box(other).y > box(one).y ? other : one; });
    }
    window.addEventListener("keydown", function (event) {
        if (event.ctrlKey || event.altKey || event.metaKey) return;
        var moves = {
            ArrowUp: function () { go(row(-1)); },
            ArrowDown: function () { go(row(1)); },
            ArrowLeft: function () { go(neighbour(-1)); },
            ArrowRight: function () { go(neighbour(1)); },
            Enter: function () { unzoom(); zoom(at); },
            Escape: function () { unzoom(); },
            "/": function () { search_prompt(); }
        };
        if (!moves[event.key]) return;
        event.preventDefault();
        // The first arrow only shows where one is.
        if (!at) go(root());
        else if (event.key.indexOf("Arrow") === 0) moves[event.key]();
        if (event.key.indexOf("Arrow") !== 0) moves[event.key]();
    }, false);
})();
