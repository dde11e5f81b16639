// When is something asked again? In turn, and only while somebody can see the page.

/** Calls `work` now and every `seconds` after it is done; gives a function that ends it. */
export function live(seconds, work, failed) {
  let timer = 0;
  let over = false;
  const turn = async () => {
    clearTimeout(timer);
    if (over || document.hidden) return;
    try {
      await work();
    } catch (error) {
      if (!over) failed(error);
    }
    clearTimeout(timer);
    if (!over) timer = setTimeout(turn, seconds * 1000);
  };
  document.addEventListener("visibilitychange", turn);
  turn();
  return () => {
    over = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", turn);
  };
}
