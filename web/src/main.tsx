import { render } from "preact";
import "./style.css";
import { App } from "./ui/app";
import { begin } from "./ui/state";

const page = document.getElementById("page");
if (page) render(<App />, page);
void begin();
